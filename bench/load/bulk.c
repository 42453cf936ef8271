/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams: one side sends as fast as it can, the other counts what arrives within the window.
 * A blocking thread per stream, because that costs the least CPU of its own. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define SEND_BYTES ((size_t)256 * 1024)

static const char zeros[SEND_BYTES];

/* What the counting side of a stream saw. It crosses the wire after an upload. */
struct tally {
	uint64_t bytes;	  /* within the window */
	uint64_t last_ns; /* when the last of them came; 0: none came */
};

static void send_stream(int fd, const struct hello *hello)
{
	uint64_t left = hello->stream_bytes ? hello->stream_bytes : UINT64_MAX;

	while (left > 0 && now_ns() < hello->to_ns) {
		ssize_t n = send(fd, zeros, left < SEND_BYTES ? left : SEND_BYTES, MSG_NOSIGNAL);

		if (n < 0 && net_again(fd, POLLOUT))
			continue;
		if (n < 0)
			die("send: %s", strerror(errno));
		left -= (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
}

/* Reads to the end of the stream, so that nothing of it is still on its way in the next round. */
static struct tally count_stream(int fd, const struct hello *hello, const struct reading *reading)
{
	struct tally tally = {0};
	char *buffer = malloc(reading->buffer_bytes);
	int flags = reading->discard ? MSG_TRUNC : 0;

	if (!buffer)
		die("no memory");
	if (reading->low_water_bytes &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &reading->low_water_bytes, sizeof(int)))
		die("SO_RCVLOWAT: %s", strerror(errno));
	for (;;) {
		ssize_t n = recv(fd, buffer, reading->buffer_bytes, flags);
		uint64_t now = now_ns();

		if (n < 0 && net_again(fd, POLLIN))
			continue;
		if (n < 0)
			die("receive: %s", strerror(errno));
		if (n == 0)
			break;
		if (now < hello->from_ns || now >= hello->to_ns)
			continue;
		tally.bytes += (uint64_t)n;
		tally.last_ns = now;
	}
	free(buffer);
	return tally;
}

void bulk_serve(int fd, const struct hello *hello, const struct reading *reading)
{
	if (hello->work == WORK_DOWNLOAD) {
		char nothing;

		send_stream(fd, hello);
		/* Closing first would leave TIME_WAIT here, or a reset where data is unread. */
		(void)recv(fd, &nothing, 1, 0);
	} else {
		struct tally tally = count_stream(fd, hello, reading);

		net_write_all(fd, &tally, sizeof(tally));
	}
	close(fd);
}

struct stream {
	pthread_t thread;
	int fd;
	const struct hello *hello;
	const struct plan *plan;
	struct tally tally;
};

static void *run_stream(void *argument)
{
	struct stream *stream = argument;

	if (stream->hello->work == WORK_DOWNLOAD) {
		stream->tally = count_stream(stream->fd, stream->hello, &stream->plan->reading);
	} else {
		send_stream(stream->fd, stream->hello);
		net_read_all(stream->fd, &stream->tally, sizeof(stream->tally));
	}
	return NULL;
}

static void print_tally(const struct plan *plan, const struct hello *hello,
			const struct tally *tally, bool mptcp)
{
	uint64_t end_ns = plan->stream_bytes ? tally->last_ns : hello->to_ns;
	double seconds = (double)(end_ns - hello->from_ns) / (double)NS_PER_S;

	printf("{\"work\": \"%s\", \"connections\": %zu, \"mptcp\": %s, \"start_ns\": %" PRIu64
	       ", \"end_ns\": %" PRIu64 ", \"seconds\": %.6f, \"bytes\": %" PRIu64
	       ", \"mbit_per_s\": %.3f}\n",
	       plan->work == WORK_DOWNLOAD ? "download" : "upload", plan->connections,
	       mptcp ? "true" : "false", hello->from_ns, end_ns, seconds, tally->bytes,
	       (double)tally->bytes * 8 / seconds / 1e6);
}

void bulk_run(const struct plan *plan, const struct hello *hello, const int *fds)
{
	struct stream *streams = calloc(plan->connections, sizeof(*streams));
	struct tally sum = {0};

	if (!streams)
		die("no memory");
	for (size_t i = 0; i < plan->connections; i++) {
		streams[i] = (struct stream){.fd = fds[i], .hello = hello, .plan = plan};
		if (pthread_create(&streams[i].thread, NULL, run_stream, &streams[i]))
			die("no thread");
	}
	for (size_t i = 0; i < plan->connections; i++) {
		pthread_join(streams[i].thread, NULL);
		sum.bytes += streams[i].tally.bytes;
		if (streams[i].tally.last_ns > sum.last_ns)
			sum.last_ns = streams[i].tally.last_ns;
	}
	free(streams);
	if (sum.bytes == 0)
		die("nothing arrived");
	print_tally(plan, hello, &sum, net_is_mptcp(fds[0]));
}
