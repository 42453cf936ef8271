/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exit's side of a speed test. Holds nothing of what it takes, and sends nothing but noise: to
 * who has shown a token, on that connection, for as long as was asked, by the steady clock. */
#include "session/session_speed.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/pkt_sched.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/write_pause.h"
#include "session/congestion.h"
#include "session/opening.h"
#include "session/session_private.h"
#include "shared/token_state.h"

#define CHUNK_BYTES 65536
/* Chunks moved before other sessions have their turn. */
#define CHUNKS_MAX 4
/* How often a sink reports, and ends are looked for. */
#define TICK_S 0.1
/* A router asks, sends or reads all the time. */
#define SILENCE_S 5.

struct session_speed {
	struct session *session;
	const struct token *token;
	ev_io io;
	ev_timer tick;
	ev_timer rest; /* until its turn, with a rate */
	struct write_pause pause;
	struct fair_share share;
	double began_s;
	double moved_s; /* when bytes did last */
	uint64_t bytes;
	uint8_t out[64]; /* echo or report, to be sent */
	size_t out_len;
};

/* What links and VPNs cannot compress. The same for all. */
static uint8_t noise[CHUNK_BYTES];
static pthread_once_t noise_once = PTHREAD_ONCE_INIT;

static void make_noise(void)
{
	randombytes_buf(noise, sizeof(noise));
}

static const struct speed_request *request_of(const struct session_speed *speed)
{
	return &speed->session->opening->handshake.speed;
}

static struct speed_limit *limit_of(const struct session_speed *speed)
{
	return token_state_speed(speed->session->token_state);
}

static struct ev_loop *loop_of(const struct session_speed *speed)
{
	return speed->session->env->relay.loop;
}

static enum direction direction_of(const struct session_speed *speed)
{
	return request_of(speed)->kind == SPEED_SOURCE ? DOWN : UP;
}

static struct fair_rate *rate_of(const struct session_speed *speed)
{
	return token_state_rate(speed->session->token_state, direction_of(speed));
}

void session_speed_stop(struct session *session)
{
	struct session_speed *speed = session->opening->speed;

	if (!speed)
		return;
	session->opening->speed = NULL;
	ev_io_stop(loop_of(speed), &speed->io);
	ev_timer_stop(loop_of(speed), &speed->tick);
	ev_timer_stop(loop_of(speed), &speed->rest);
	write_pause_stop(&speed->pause, loop_of(speed));
	if (speed->token->rate > 0)
		fair_rate_leave(rate_of(speed), &speed->share);
	speed_limit_end(limit_of(speed), clock_monotonic_s());
	free(speed);
}

static void watch(struct session_speed *speed)
{
	const bool resting = ev_is_active(&speed->rest);
	const bool writes = !write_pause_holds(&speed->pause);
	int events = 0;

	switch (request_of(speed)->kind) {
	case SPEED_SOURCE:
		events = EV_READ | (writes && !resting ? EV_WRITE : 0);
		break;
	case SPEED_SINK:
		events = (resting ? 0 : EV_READ) | (writes && speed->out_len > 0 ? EV_WRITE : 0);
		break;
	case SPEED_ECHO:
		events = speed->out_len == 0 ? EV_READ : writes ? EV_WRITE : 0;
		break;
	}
	ev_io_stop(loop_of(speed), &speed->io);
	ev_io_set(&speed->io, speed->io.fd, events);
	if (events)
		ev_io_start(loop_of(speed), &speed->io);
}

static void put_report(struct session_speed *speed)
{
	const struct speed_report report = {
		.us = (uint64_t)((clock_monotonic_s() - speed->began_s) * 1e6),
		.bytes = speed->bytes,
	};

	speed_report_write(speed->out, &report);
	speed->out_len = SPEED_REPORT_BYTES;
}

/* In order; the router may read what is on its way. */
static void finish(struct session_speed *speed)
{
	struct session *session = speed->session;

	if (request_of(speed)->kind == SPEED_SINK && speed->out_len == 0) {
		put_report(speed);
		(void)send(speed->io.fd, speed->out, speed->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	session_speed_stop(session);
	session_linger(session, CAUSE_NONE);
}

/* False: the router is gone, or there is nothing for now. */
static bool moved(struct session_speed *speed, ssize_t n, enum direction direction)
{
	struct session *session = speed->session;
	struct flow *flow = &session->relay.flows[direction];

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		if (n == 0 && direction == UP)
			finish(speed);
		else
			session_end(session, CAUSE_CLIENT_GONE);
		return false;
	}
	speed->bytes += (uint64_t)n;
	speed->moved_s = clock_monotonic_s();
	flow->bytes += (uint64_t)n;
	relay_count(&session->relay, flow, MOVER_COPY, (uint64_t)n);
	if (speed_limit_charge(limit_of(speed), (uint64_t)n, speed->token->speed_bytes,
			       clock_monotonic_s()))
		return true;
	finish(speed);
	return false;
}

/* How much may be moved now; 0: it is not our turn. */
static size_t ask_turn(struct session_speed *speed)
{
	double wait_s;
	size_t bytes;

	if (speed->token->rate == 0)
		return CHUNK_BYTES;
	wait_s = fair_rate_ask(rate_of(speed), &speed->share, speed->token->rate,
			       clock_monotonic_s(), &bytes);
	if (wait_s == 0)
		return bytes < CHUNK_BYTES ? bytes : CHUNK_BYTES;
	ev_timer_set(&speed->rest, wait_s, 0.);
	ev_timer_start(loop_of(speed), &speed->rest);
	watch(speed);
	return 0;
}

/* Leaves errno alone. */
static void settle_turn(struct session_speed *speed, ssize_t n)
{
	const int err = errno;

	if (speed->token->rate > 0)
		fair_rate_settle(rate_of(speed), &speed->share, speed->token->rate,
				 n > 0 ? (size_t)n : 0);
	errno = err;
}

/* A stream that a slow reader holds up costs what the kernel holds of any session. */
static void pump_source(struct session_speed *speed)
{
	for (int i = 0; i < CHUNKS_MAX; i++) {
		const size_t size = ask_turn(speed);
		ssize_t n;

		if (size == 0)
			return;
		n = send(speed->io.fd, noise, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		settle_turn(speed, n);
		write_pause_tried(&speed->pause, loop_of(speed), n > 0);
		if (write_pause_holds(&speed->pause))
			watch(speed);
		if (!moved(speed, n, DOWN))
			return;
	}
}

static void pump_sink(struct session_speed *speed)
{
	const struct io_buffers *buffers = &speed->session->env->relay.buffers;

	for (int i = 0; i < CHUNKS_MAX; i++) {
		const size_t size = ask_turn(speed);
		ssize_t n;

		if (size == 0)
			return;
		n = recv(speed->io.fd, buffers->buffer,
			 size < buffers->buffer_size ? size : buffers->buffer_size, MSG_DONTWAIT);
		settle_turn(speed, n);
		if (!moved(speed, n, UP))
			return;
	}
}

/* False: the session is gone. */
static bool flush(struct session_speed *speed)
{
	const ssize_t n =
		send(speed->io.fd, speed->out, speed->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		session_end(speed->session, CAUSE_CLIENT_GONE);
		return false;
	}
	if (n > 0) {
		speed->out_len -= (size_t)n;
		memmove(speed->out, speed->out + n, speed->out_len);
	}
	write_pause_tried(&speed->pause, loop_of(speed), n > 0);
	watch(speed);
	return true;
}

static void pump_echo(struct session_speed *speed)
{
	const ssize_t n = recv(speed->io.fd, speed->out, sizeof(speed->out), MSG_DONTWAIT);

	if (!moved(speed, n, UP))
		return;
	speed->out_len = (size_t)n;
	(void)flush(speed);
}

/* Nobody has anything to say to a source but that he has enough. */
static void hear_of_source(struct session_speed *speed)
{
	uint8_t byte;
	const ssize_t n = recv(speed->io.fd, &byte, 1, MSG_DONTWAIT);

	if (n == 0)
		finish(speed);
	else if (n > 0 || (errno != EAGAIN && errno != EINTR))
		session_end(speed->session, n > 0 ? CAUSE_BAD_REQUEST : CAUSE_CLIENT_GONE);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct session_speed *speed = io->data;
	const enum speed_kind kind = request_of(speed)->kind;

	(void)loop;
	if (kind == SPEED_SOURCE && events & EV_READ)
		hear_of_source(speed);
	else if (kind == SPEED_SOURCE)
		pump_source(speed);
	else if (events & EV_WRITE)
		(void)flush(speed);
	else if (kind == SPEED_SINK)
		pump_sink(speed);
	else
		pump_echo(speed);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	watch(timer->data);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct session_speed *speed = timer->data;

	(void)loop;
	(void)events;
	if (clock_monotonic_s() - speed->moved_s >= SILENCE_S) {
		session_end(speed->session, CAUSE_IDLE_TIMEOUT);
	} else if (clock_monotonic_s() - speed->began_s >= request_of(speed)->seconds) {
		finish(speed);
	} else if (request_of(speed)->kind == SPEED_SINK && speed->out_len == 0) {
		put_report(speed);
		(void)flush(speed);
	}
}

static void serve(struct session *session, struct session_speed *speed)
{
	const int fd = session->relay.client.fd;
	const int priority = TC_PRIO_BULK;

	pthread_once(&noise_once, make_noise);
	/* After all others, where this host's own queue decides. */
	setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	congestion_choose(session->config, fd, session->relay.client.transport);
	ev_io_stop(session->env->relay.loop, &session->opening->io);
	speed->session = session;
	speed->token = session->opening->handshake.token;
	speed->began_s = speed->moved_s = clock_monotonic_s();
	ev_io_init(&speed->io, on_io, fd, EV_READ);
	speed->io.data = speed;
	ev_timer_init(&speed->tick, on_tick, TICK_S, TICK_S);
	speed->tick.data = speed;
	ev_timer_start(session->env->relay.loop, &speed->tick);
	ev_init(&speed->rest, on_pause_over);
	speed->rest.data = speed;
	write_pause_init(&speed->pause, on_pause_over, speed);
	session->opening->speed = speed;
	session_enter(session, SESSION_TESTING);
	watch(speed);
}

static void reply(const struct session *session, enum cause cause,
		  const struct speed_verdict *verdict, struct handshake_out *out)
{
	uint8_t bytes[SPEED_ADDRESS_BYTES];
	union address said;

	speed_verdict_write(bytes, verdict);
	address_from_bytes(&said, AF_INET6, bytes, 0);
	out->len = 0;
	handshake_reply(&session->opening->handshake, cause, &said, out);
}

void session_speed_start(struct session *session)
{
	static const char name[] = "speed test";
	struct opening *opening = session->opening;
	struct speed_limit *limit = token_state_speed(session->token_state);
	struct session_speed *speed = NULL;
	struct speed_verdict verdict;
	struct handshake_out out;

	session->protocol = opening->handshake.protocol;
	session->env->stats.protocols[session->protocol]++;
	doorway_leave(&session->env->doorway, &opening->place);
	session->destination = memcpy(session->short_destination, name, sizeof(name));
	/* The router says nothing before it is answered. */
	if (opening->in_len > 0) {
		session_fail(session, CAUSE_BAD_REQUEST);
		return;
	}
	if (!speed_limit_begin(limit, &opening->handshake.speed,
			       opening->handshake.token->speed_bytes, clock_monotonic_s(),
			       &verdict)) {
		reply(session, CAUSE_LIMIT, &verdict, &out);
		session_refuse(session, CAUSE_LIMIT, &out);
		return;
	}
	speed = calloc(1, sizeof(*speed));
	reply(session, CAUSE_NONE, &verdict, &out);
	if (speed && opening_answer(session->relay.client.fd, &out)) {
		serve(session, speed);
		return;
	}
	speed_limit_end(limit, clock_monotonic_s());
	if (speed)
		session_end(session, CAUSE_CLIENT_GONE);
	else
		session_fail(session, CAUSE_RESOURCES);
	free(speed);
}
