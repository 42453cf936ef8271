/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams: one side sends as fast as it can, the other counts what arrives within the window, and
 * sees that it is what was sent. A blocking thread per stream and direction, because that costs the
 * least CPU of its own. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "load.h"

#define BLOCK_MAGIC 0x4841575345424c4bULL

/* A stream is blocks, each a head and its bytes; the last one has none. So its end needs no end of
 * the connection, and a proxy that loses half-closed data can be measured. */
struct head {
	uint64_t magic;
	uint64_t len;
	uint64_t position; /* bytes before */
};
_Static_assert(sizeof(struct head) == 24, "crosses the wire");

/* What the counting side of a stream saw. It crosses the wire after an upload. */
struct tally {
	uint64_t bytes;	  /* within the window */
	uint64_t last_ns; /* when the last of them came; 0: none came */
};

static void write_all(int fd, struct iovec *parts, size_t count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};

	while (message.msg_iovlen > 0) {
		ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (n < 0 && net_again(fd, POLLOUT))
			continue;
		if (n < 0)
			die("send: %s", strerror(errno));
		while (message.msg_iovlen > 0 && (size_t)n >= message.msg_iov->iov_len) {
			n -= (ssize_t)message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (message.msg_iovlen > 0) {
			message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
			message.msg_iov->iov_len -= (size_t)n;
		}
	}
}

static void send_stream(int fd, const struct hello *hello)
{
	const uint64_t total = hello->stream_bytes ? hello->stream_bytes : UINT64_MAX;
	struct head head = {.magic = BLOCK_MAGIC};

	do {
		struct iovec parts[2] = {{&head, sizeof(head)}};

		head.position += head.len;
		head.len = total - head.position;
		if (now_ns() >= hello->to_ns)
			head.len = 0;
		else if (head.len > PATTERN_BYTES)
			head.len = PATTERN_BYTES;
		parts[1].iov_base = (void *)(uintptr_t)pattern_at(head.position);
		parts[1].iov_len = head.len;
		write_all(fd, parts, 2);
	} while (head.len > 0);
}

/* What is being received: the rest of a block, then the head of the next. */
struct intake {
	char *buffer;
	size_t size;
	uint64_t position;
	uint64_t block_left;
	size_t head_have;
	struct head head;
};

/* Returns how many bytes of the stream came. */
static size_t intake_receive(struct intake *intake, int fd)
{
	size_t want = intake->block_left < intake->size ? intake->block_left : intake->size;
	struct iovec parts[2] = {{intake->buffer, want},
				 {(char *)&intake->head + intake->head_have,
				  sizeof(intake->head) - intake->head_have}};
	ssize_t n;
	size_t taken;

	do
		n = readv(fd, parts, want == intake->block_left ? 2 : 1);
	while (n < 0 && net_again(fd, POLLIN));
	if (n < 0)
		die("receive: %s", strerror(errno));
	if (n == 0)
		die("the stream was cut after %" PRIu64 " bytes", intake->position);
	taken = (size_t)n < want ? (size_t)n : want;
	pattern_check(intake->buffer, taken, intake->position);
	intake->position += taken;
	intake->block_left -= taken;
	intake->head_have += (size_t)n - taken;
	return taken;
}

/* Whether the stream goes on after its last head. */
static bool intake_next_block(struct intake *intake)
{
	if (intake->head.magic != BLOCK_MAGIC || intake->head.position != intake->position)
		die_of_wrong_bytes("wrong bytes after %" PRIu64 ": lost, doubled or out of order",
				   intake->position);
	intake->head_have = 0;
	intake->block_left = intake->head.len;
	return intake->block_left > 0;
}

/* Reads to the end of the stream, so that nothing of it is still on its way in the next round. */
static struct tally count_stream(int fd, const struct hello *hello, const struct reading *reading)
{
	struct intake intake = {.buffer = malloc(reading->buffer_bytes),
				.size = reading->buffer_bytes};
	struct tally tally = {0};
	bool more = true;

	if (!intake.buffer)
		die("no memory");
	if (reading->low_water_bytes &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &reading->low_water_bytes, sizeof(int)))
		die("SO_RCVLOWAT: %s", strerror(errno));
	while (more) {
		size_t n = intake_receive(&intake, fd);
		uint64_t now = now_ns();

		if (intake.head_have == sizeof(intake.head))
			more = intake_next_block(&intake);
		if (n == 0 || now < hello->from_ns || now >= hello->to_ns)
			continue;
		tally.bytes += n;
		tally.last_ns = now;
	}
	free(intake.buffer);
	return tally;
}

struct stream {
	pthread_t thread;
	int fd;
	const struct hello *hello;
	const struct reading *reading;
	struct tally tally;
	enum farewell farewell;
};

static void *stream_count(void *argument)
{
	struct stream *stream = argument;

	stream->tally = count_stream(stream->fd, stream->hello, stream->reading);
	return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	if (pthread_create(thread, NULL, run, argument))
		die("no thread");
}

/* Both directions of a connection at once, as far as it has them. */
static void stream_move(struct stream *stream, bool receives, bool sends)
{
	pthread_t thread;

	if (receives && sends) {
		start(&thread, stream_count, stream);
		send_stream(stream->fd, stream->hello);
		pthread_join(thread, NULL);
	} else if (receives) {
		stream_count(stream);
	} else {
		send_stream(stream->fd, stream->hello);
	}
}

/* So that who moves the bytes sees a connection that pauses. */
static void take_turns(int fd, const struct hello *hello, bool asks)
{
	char turn[64] = {0};

	for (uint32_t i = 0; i < hello->turns; i++) {
		if (asks)
			net_write_all(fd, turn, sizeof(turn));
		net_read_all(fd, turn, sizeof(turn));
		if (!asks)
			net_write_all(fd, turn, sizeof(turn));
	}
}

void bulk_serve(int fd, const struct hello *hello, const struct reading *reading)
{
	struct stream stream = {.fd = fd, .hello = hello, .reading = reading};
	bool receives = hello->work != WORK_DOWNLOAD;

	take_turns(fd, hello, false);
	stream_move(&stream, receives, hello->work != WORK_UPLOAD);
	if (receives)
		net_write_all(fd, &stream.tally, sizeof(stream.tally));
	farewell_answer(fd);
}

static void *run_stream(void *argument)
{
	struct stream *stream = argument;
	bool sends = stream->hello->work != WORK_DOWNLOAD;

	take_turns(stream->fd, stream->hello, true);
	stream_move(stream, stream->hello->work != WORK_UPLOAD, sends);
	if (sends) {
		struct tally sent;

		net_read_all(stream->fd, &sent, sizeof(sent));
		stream->tally.bytes += sent.bytes;
		if (sent.last_ns > stream->tally.last_ns)
			stream->tally.last_ns = sent.last_ns;
	}
	stream->farewell = farewell_ask(stream->fd);
	return NULL;
}

static void print_tally(const struct plan *plan, const struct hello *hello,
			const struct tally *tally, size_t farewells_lost, bool mptcp)
{
	uint64_t end_ns = plan->stream_bytes ? tally->last_ns : hello->to_ns;
	double seconds = (double)(end_ns - hello->from_ns) / (double)NS_PER_S;

	printf("{\"work\": \"%s\", \"connections\": %zu, \"mptcp\": %s, \"start_ns\": %" PRIu64
	       ", \"end_ns\": %" PRIu64 ", \"seconds\": %.6f, \"bytes\": %" PRIu64
	       ", \"mbit_per_s\": %.3f, \"half_closes_lost\": %zu}\n",
	       work_name(plan->work), plan->connections, mptcp ? "true" : "false", hello->from_ns,
	       end_ns, seconds, tally->bytes, (double)tally->bytes * 8 / seconds / 1e6,
	       farewells_lost);
}

void bulk_run(const struct plan *plan, const struct hello *hello, const int *fds)
{
	struct stream *streams = calloc(plan->connections, sizeof(*streams));
	bool mptcp = net_is_mptcp(fds[0]);
	struct tally sum = {0};
	size_t lost = 0;

	if (!streams)
		die("no memory");
	for (size_t i = 0; i < plan->connections; i++) {
		streams[i] =
			(struct stream){.fd = fds[i], .hello = hello, .reading = &plan->reading};
		start(&streams[i].thread, run_stream, &streams[i]);
	}
	for (size_t i = 0; i < plan->connections; i++) {
		pthread_join(streams[i].thread, NULL);
		sum.bytes += streams[i].tally.bytes;
		if (streams[i].tally.last_ns > sum.last_ns)
			sum.last_ns = streams[i].tally.last_ns;
		lost += streams[i].farewell != FAREWELL_KEPT;
	}
	free(streams);
	if (sum.bytes == 0)
		die("nothing arrived");
	print_tally(plan, hello, &sum, lost, mptcp);
}
