/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A link for kernels without netem: two TUN devices, each in a network namespace, and what becomes
 * of packets between them. Sleeps while nothing is due. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "emulator_settings.h"
#include "emulator_tun.h"

#define NS_PER_S 1000000000ULL
/* Read from one end before the other gets its turn. */
#define BATCH_PACKETS	32
#define LINE_BYTES	1024
#define COMPLAINT_BYTES 256

static const char usage[] =
	"usage: emulator [--seed N] NEAR-NAMESPACE NEAR-DEVICE FAR-NAMESPACE FAR-DEVICE\n"
	"                [KEY=VALUE...]\n"
	"\n"
	"Makes a TUN device in each of two network namespaces, given by path, and carries packets\n"
	"between them until its standard input ends. The devices go with it, whatever ends it.\n"
	"\n"
	"  rate=MBITS|none  IP bytes count; default none\n"
	"  delay=MS         one way; default 0\n"
	"  jitter=MS        the delay wanders by this, up and down, and keeps the order; at most\n"
	"                   delay; default 0\n"
	"  loss=PERCENT     of segments, each by itself; default 0\n"
	"  queue=BYTES|MSms|auto\n"
	"                   what may wait for the rate; more is dropped. auto, the default: what\n"
	"                   the link carries in a round trip, at least 50 ms and 16000 bytes\n"
	"  blackhole=on|off\n"
	"                   swallow everything, and tell nobody; default off\n"
	"  carrier=on|off   of both devices; default on\n"
	"\n"
	"All but carrier also with -up (near to far) or -down. The same words, in lines on "
	"standard\n"
	"input, change the link while it runs; each line is answered with \"ok\" or \"error: \" "
	"and "
	"why.\n"
	"A line \"stats\" is answered with counters, as JSON. \"ok\" comes first, once the devices "
	"are "
	"there.\n"
	"With the same --seed (default 1) the same segments of a direction are lost.\n";

struct end {
	int fd;
	/* Of what is read from it. */
	struct path path;
};

struct link {
	struct end ends[DIRECTIONS]; /* near, whose path is up, and far */
	struct link_settings settings;
	char line[LINE_BYTES];
	size_t line_bytes;
};

static const char *const path_names[DIRECTIONS] = {"up", "down"};

static void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("emulator: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void deliver(struct link *link, enum direction direction)
{
	struct path *path = &link->ends[direction].path;
	int fd = link->ends[!direction].fd;
	struct path_train *train;
	struct packet_frame frame;

	while ((train = path_leave(path, now_ns()))) {
		packet_frame(train->packet, train->first, train->count, &frame);
		/* Fails while the device is down: nobody is there to receive it. */
		if (writev(fd, frame.iov, frame.iov_count) < 0 && errno != EIO && errno != EAGAIN &&
		    errno != EINVAL && errno != ENOMEM && errno != ENOBUFS)
			die("write: %s", strerror(errno));
		path_free_train(path, train);
	}
}

static void receive(struct end *end)
{
	static uint8_t frame[PACKET_FRAME_BYTES];

	for (int i = 0; i < BATCH_PACKETS; i++) {
		ssize_t bytes = read(end->fd, frame, sizeof(frame));
		struct packet *packet;

		if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (bytes < 0)
			die("read: %s", strerror(errno));
		packet = packet_new(frame, (size_t)bytes);
		if (packet)
			path_enter(&end->path, packet, now_ns());
		else
			end->path.counters.dropped++;
	}
}

/* Returns whether all is well; all or nothing is done. */
static bool adopt(struct link *link, struct link_settings *settings, char *complaint, size_t size)
{
	if (!link_settings_complete(settings, complaint, size))
		return false;
	for (int i = 0; i < DIRECTIONS; i++) {
		int error = settings->carrier == link->settings.carrier
				    ? 0
				    : tun_set_carrier(link->ends[i].fd, settings->carrier);

		if (error) {
			snprintf(complaint, size, "carrier: %s", strerror(-error));
			return false;
		}
		path_set(&link->ends[i].path, &settings->paths[i], now_ns());
	}
	link->settings = *settings;
	return true;
}

static bool parse_word(struct link_settings *settings, const char *word, char *complaint,
		       size_t size)
{
	size_t length = (size_t)snprintf(complaint, size, "%.64s: ", word);

	return link_settings_apply(settings, word, complaint + length, size - length);
}

static bool change(struct link *link, char *words, char *complaint, size_t size)
{
	struct link_settings settings = link->settings;
	char *rest = NULL;

	for (char *word = strtok_r(words, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		if (!parse_word(&settings, word, complaint, size))
			return false;
	return adopt(link, &settings, complaint, size);
}

static void print_stats(const struct link *link)
{
	for (int i = 0; i < DIRECTIONS; i++) {
		const struct path *path = &link->ends[i].path;

		printf("%s\"%s\": {\"segments\": %" PRIu64 ", \"bytes\": %" PRIu64
		       ", \"dropped\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"swallowed\": %" PRIu64
		       ", \"queued_bytes\": %" PRIu64 ", \"queue_bytes\": %" PRIu64 "}%s",
		       i == 0 ? "{" : ", ", path_names[i], path->counters.segments,
		       path->counters.bytes, path->counters.dropped, path->counters.lost,
		       path->counters.swallowed, path->queued_bytes, path->settings.queue_bytes,
		       i + 1 < DIRECTIONS ? "" : "}\n");
	}
}

static void obey(struct link *link, char *line)
{
	char complaint[COMPLAINT_BYTES];

	if (strcmp(line, "stats") == 0)
		print_stats(link);
	else if (change(link, line, complaint, sizeof(complaint)))
		puts("ok");
	else
		printf("error: %s\n", complaint);
	fflush(stdout);
}

/* Returns false at the end of the input. */
static bool read_commands(struct link *link)
{
	ssize_t bytes = read(STDIN_FILENO, link->line + link->line_bytes,
			     sizeof(link->line) - 1 - link->line_bytes);
	char *end;

	if (bytes <= 0)
		return bytes < 0 && (errno == EINTR || errno == EAGAIN);
	link->line_bytes += (size_t)bytes;
	link->line[link->line_bytes] = '\0';
	while ((end = strchr(link->line, '\n'))) {
		*end = '\0';
		obey(link, link->line);
		link->line_bytes -= (size_t)(end + 1 - link->line);
		memmove(link->line, end + 1, link->line_bytes + 1);
	}
	if (link->line_bytes == sizeof(link->line) - 1)
		die("a line of commands is longer than %d bytes", LINE_BYTES - 2);
	return true;
}

static void carry_packets(struct link *link)
{
	struct pollfd fds[DIRECTIONS + 1] = {
		{.fd = link->ends[0].fd, .events = POLLIN},
		{.fd = link->ends[1].fd, .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};

	for (;;) {
		uint64_t next_ns = PATH_NEVER;
		struct timespec timeout = {0};
		uint64_t now;

		for (int i = 0; i < DIRECTIONS; i++) {
			deliver(link, i);
			if (path_next_ns(&link->ends[i].path) < next_ns)
				next_ns = path_next_ns(&link->ends[i].path);
		}
		now = now_ns();
		if (next_ns > now) {
			timeout.tv_sec = (time_t)((next_ns - now) / NS_PER_S);
			timeout.tv_nsec = (long)((next_ns - now) % NS_PER_S);
		}
		if (ppoll(fds, DIRECTIONS + 1, next_ns == PATH_NEVER ? NULL : &timeout, NULL) < 0 &&
		    errno != EINTR)
			die("ppoll: %s", strerror(errno));
		for (int i = 0; i < DIRECTIONS; i++)
			if (fds[i].revents)
				receive(&link->ends[i]);
		if (fds[DIRECTIONS].revents && !read_commands(link))
			return;
	}
}

static uint64_t parse_seed(const char *text)
{
	char *end;
	unsigned long long seed;

	errno = 0;
	seed = strtoull(text, &end, 10);
	if (end == text || *end != '\0' || *text == '-' || errno)
		die("--seed %s: not a number from 0 to %" PRIu64, text, UINT64_MAX);
	return seed;
}

int main(int argc, char **argv)
{
	static struct link link;
	struct link_settings settings;
	char complaint[COMPLAINT_BYTES];
	uint64_t seed = 1;
	const char *what;

	if (argc > 2 && strcmp(argv[1], "--seed") == 0) {
		seed = parse_seed(argv[2]);
		argv += 2;
		argc -= 2;
	}
	if (argc < 5 || argv[1][0] == '-') {
		fputs(usage, argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
		return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
	}
	/* The default of 50 us would be a delay of its own. */
	prctl(PR_SET_TIMERSLACK, 1);
	signal(SIGPIPE, SIG_IGN);
	link_settings_init(&link.settings);
	settings = link.settings;
	for (int i = 0; i < DIRECTIONS; i++) {
		path_init(&link.ends[i].path, seed * DIRECTIONS + (uint64_t)i);
		link.ends[i].fd = tun_make(argv[1 + 2 * i], argv[2 + 2 * i], &what);
		if (link.ends[i].fd < 0)
			die("%s: %s", what, strerror(-link.ends[i].fd));
	}
	for (int i = 5; i < argc; i++)
		if (!parse_word(&settings, argv[i], complaint, sizeof(complaint)))
			die("%s", complaint);
	if (!adopt(&link, &settings, complaint, sizeof(complaint)))
		die("%s", complaint);
	puts("ok");
	fflush(stdout);
	carry_packets(&link);
	for (int i = 0; i < DIRECTIONS; i++)
		path_destroy(&link.ends[i].path);
	return 0;
}
