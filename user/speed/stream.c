/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection of a speed test. What comes from the exit is believed as far as it can be true. */
#include "speed/stream.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/socket.h"
#include "net/socket_reset.h"
#include "net/subflow.h"
#include "proto/big_endian.h"
#include "session/congestion.h"
#include "speed/said.h"

/* Chunks moved before the loop has its turn. */
#define CHUNKS_MAX 4
/* Messages, or pieces of them, likewise: an exit may send them without end. */
#define MESSAGES_MAX 16

static void stop_io(struct stream *stream)
{
	if (stream->fd < 0)
		return;
	ev_io_stop(stream->env->dial.loop, &stream->io);
	write_pause_stop(&stream->pause, stream->env->dial.loop);
}

static void end(struct stream *stream, enum stream_fault fault)
{
	stop_io(stream);
	stream->state = STREAM_ENDED;
	stream->fault = fault;
}

static void fail(struct stream *stream, const char *what)
{
	snprintf(stream->said, sizeof(stream->said), "exit %s: %s", stream->env->exit->name, what);
	end(stream, STREAM_BROKEN);
}

static void watch(struct stream *stream)
{
	const bool writes =
		stream->request.kind == SPEED_SINK && !write_pause_holds(&stream->pause);

	ev_io_stop(stream->env->dial.loop, &stream->io);
	ev_io_set(&stream->io, stream->fd, writes ? EV_READ | EV_WRITE : EV_READ);
	ev_io_start(stream->env->dial.loop, &stream->io);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	watch(timer->data);
}

static void add_sample(struct stream *stream, double s, uint64_t bytes)
{
	const size_t count = stream->sample_count;

	if (count == 0 || bytes > stream->samples[count - 1].bytes)
		stream->moved_s = clock_monotonic_s();
	if (count < STREAM_SAMPLES_MAX)
		stream->samples[stream->sample_count++] = (struct speed_sample){s, bytes};
}

static void take_report(struct stream *stream)
{
	const struct speed_sample *last =
		stream->sample_count > 0 ? &stream->samples[stream->sample_count - 1] : NULL;
	struct speed_report report;
	double s;

	speed_report_read(stream->in, &report);
	s = (double)report.us / 1e6;
	if (report.bytes > stream->bytes || report.us > UINT64_C(2000000) * SPEED_SECONDS_MAX ||
	    (last && (s <= last->s || report.bytes < last->bytes)))
		fail(stream, "it reports what cannot be");
	else
		add_sample(stream, s, report.bytes);
}

static void take_echo(struct stream *stream)
{
	const uint64_t stamp = get_be(stream->in, SPEED_ECHO_BYTES);

	if (stream->stamp_count == 0 || stamp != stream->stamps[stream->stamp_first]) {
		fail(stream, "it sends back what it was not sent");
		return;
	}
	stream->stamp_first = (stream->stamp_first + 1) % STREAM_ECHOES_MAX;
	stream->stamp_count--;
	if (stream->latency_count < STREAM_LATENCIES_MAX)
		stream->latencies_ms[stream->latency_count++] =
			(double)(clock_monotonic_ns() - stamp) / 1e6;
}

/* False: there is no more for now. */
static bool check_read(struct stream *stream, ssize_t n)
{
	if (n > 0)
		return true;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* With a reset, too: asked again, the exit says why. */
	if (n == 0 || errno == ECONNRESET)
		end(stream, STREAM_NO_FAULT);
	else
		fail(stream, strerror(errno));
	return false;
}

static void read_source(struct stream *stream)
{
	for (int i = 0; i < CHUNKS_MAX; i++) {
		const ssize_t n =
			recv(stream->fd, stream->env->chunk, STREAM_CHUNK_BYTES, MSG_DONTWAIT);

		if (!check_read(stream, n))
			return;
		stream->bytes += (uint64_t)n;
	}
}

static void read_messages(struct stream *stream)
{
	const bool echo = stream->request.kind == SPEED_ECHO;
	const size_t size = echo ? SPEED_ECHO_BYTES : SPEED_REPORT_BYTES;

	for (int i = 0; i < MESSAGES_MAX && stream->state == STREAM_RUNNING; i++) {
		const ssize_t n = recv(stream->fd, stream->in + stream->in_len,
				       size - stream->in_len, MSG_DONTWAIT);

		if (!check_read(stream, n))
			return;
		stream->in_len += (size_t)n;
		if (stream->in_len < size)
			continue;
		stream->in_len = 0;
		if (echo)
			take_echo(stream);
		else
			take_report(stream);
	}
}

static void write_noise(struct stream *stream)
{
	for (int i = 0; i < CHUNKS_MAX; i++) {
		const ssize_t n = send(stream->fd, stream->env->chunk, STREAM_CHUNK_BYTES,
				       MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			/* How it has ended is read soon. */
			if (errno != EPIPE && errno != ECONNRESET)
				fail(stream, strerror(errno));
			return;
		}
		write_pause_tried(&stream->pause, stream->env->dial.loop, n > 0);
		if (write_pause_holds(&stream->pause))
			watch(stream);
		if (n <= 0)
			return;
		stream->bytes += (uint64_t)n;
	}
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct stream *stream = io->data;

	(void)loop;
	if (events & EV_READ && stream->request.kind == SPEED_SOURCE)
		read_source(stream);
	else if (events & EV_READ)
		read_messages(stream);
	if (events & EV_WRITE && stream->state == STREAM_RUNNING)
		write_noise(stream);
}

static void begin(struct stream *stream)
{
	const struct socket_options options = config_socket_options(stream->env->dial.config);
	const int priority = TC_PRIO_BULK;

	socket_options_set(stream->fd, &options, SOCKET_OPTIONS_ALL);
	congestion_choose(stream->env->dial.config, stream->fd, stream->transport);
	/* After all others, where this host's own queue decides. */
	if (stream->request.kind != SPEED_ECHO)
		setsockopt(stream->fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	stream->state = STREAM_RUNNING;
	stream->began_s = stream->moved_s = clock_monotonic_s();
	ev_io_init(&stream->io, on_io, stream->fd, EV_READ);
	stream->io.data = stream;
	write_pause_init(&stream->pause, on_pause_over, stream);
	watch(stream);
}

/* Whatever the reply had in place of an address; false: nothing of tests. */
static bool read_verdict(const struct hop_result *result, struct speed_verdict *out)
{
	return result->bound.sa.sa_family == AF_INET6 &&
	       speed_verdict_read(result->bound.in6.sin6_addr.s6_addr, out);
}

static void on_hop(void *context, const struct hop_result *result)
{
	struct stream *stream = context;
	struct speed_verdict verdict = {.refusal = SPEED_TAKEN};

	stream->hop = NULL;
	stream->fd = result->fd;
	stream->transport = result->transport;
	if (result->outcome == HOP_CONNECTED) {
		if (read_verdict(result, &verdict))
			stream->left = verdict.bytes;
		begin(stream);
	} else if (result->outcome == HOP_DESTINATION_FAILED) {
		(void)read_verdict(result, &verdict);
		speed_say_refusal(stream->said, stream->env->exit, result->cause, &verdict);
		end(stream, STREAM_REFUSED);
	} else {
		end(stream, speed_say_failure(stream->said, stream->env->exit, result->cause)
				    ? STREAM_REFUSED
				    : STREAM_BROKEN);
	}
}

struct stream *stream_open(const struct stream_env *env, enum speed_kind kind, unsigned int seconds,
			   const struct link_choice *only)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->env = env;
	stream->fd = -1;
	stream->request = (struct speed_request){
		.kind = kind, .seconds = (uint16_t)seconds, .test = env->test};
	stream->hop = hop_start(&(struct hop_request){.env = env->dial,
						      .exit = env->exit,
						      .speed = &stream->request,
						      .only = only},
				on_hop, stream);
	if (stream->hop)
		return stream;
	free(stream);
	return NULL;
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	if (stream->hop)
		hop_cancel(stream->hop);
	if (stream->state == STREAM_RUNNING)
		stop_io(stream);
	if (stream->fd >= 0)
		socket_reset(stream->fd);
	free(stream);
}

void stream_take_sample(struct stream *stream)
{
	if (stream->state == STREAM_RUNNING && stream->request.kind == SPEED_SOURCE)
		add_sample(stream, clock_monotonic_s() - stream->began_s, stream->bytes);
}

void stream_ask_echo(struct stream *stream)
{
	const uint64_t stamp = clock_monotonic_ns();
	uint8_t bytes[SPEED_ECHO_BYTES];

	if (stream->state != STREAM_RUNNING || stream->stamp_count == STREAM_ECHOES_MAX)
		return;
	put_be(bytes, sizeof(bytes), stamp);
	/* So few fit or none. */
	if (send(stream->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(bytes))
		return;
	stream->stamps[(stream->stamp_first + stream->stamp_count++) % STREAM_ECHOES_MAX] = stamp;
}

void stream_count(struct stream *stream, uint64_t out[DIRECTIONS])
{
	struct subflow subflows[SUBFLOWS_MAX];
	const size_t count =
		stream->fd < 0 ? 0 : subflow_list(stream->fd, stream->transport, subflows);

	out[UP] = out[DOWN] = 0;
	for (size_t i = 0; i < count; i++) {
		out[UP] += subflows[i].bytes_sent;
		/* What waits for a lost segment has gone over the line, too. */
		out[DOWN] += subflows[i].bytes_arrived > subflows[i].bytes_received
				     ? subflows[i].bytes_arrived
				     : subflows[i].bytes_received;
	}
	/* A subflow that is closed takes its count along. */
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		if (out[d] < stream->live[d])
			stream->closed[d] += stream->live[d] - out[d];
		stream->live[d] = out[d];
		out[d] += stream->closed[d];
	}
	/* Where the kernel does not tell. */
	if (stream->request.kind == SPEED_SOURCE && out[DOWN] < stream->bytes)
		out[DOWN] = stream->bytes;
	if (stream->request.kind == SPEED_SINK && out[UP] == 0)
		out[UP] = stream->bytes;
}
