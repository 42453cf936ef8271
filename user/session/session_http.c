/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain HTTP requests of one client: each is forwarded to its origin, and its response back. */
#include "session/session_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/loop_clock.h"
#include "proto/http_forward.h"
#include "session/opening.h"
#include "session/session_http_private.h"

/* A chunked request may end anywhere in what was read, and the rest is kept. */
#define READ_CHUNKED_BYTES 16384
uint8_t *http_buffer(const struct session *session)
{
	return session->env->relay.buffers.buffer + CHUNK_HEAD_MAX;
}

const struct http_request *http_request_of(const struct session *session)
{
	return &session->opening->handshake.http;
}

void http_count(struct session *session, struct flow *flow, size_t n)
{
	flow->bytes += n;
	relay_count(&session->relay, flow, MOVER_COPY, n);
}

static void stop_watching(struct session *session)
{
	struct ev_loop *loop = session->env->relay.loop;

	ev_io_stop(loop, &session->http->client);
	ev_io_stop(loop, &session->http->server);
	write_pause_stop(&session->http->to_client_pause, loop);
	write_pause_stop(&session->http->to_origin_pause, loop);
}

/* All that is of one request. */
static void forget_request(struct session_http *http)
{
	http_body_begin(&http->up, HTTP_BODY_NONE, 0);
	http_body_begin(&http->down, HTTP_BODY_NONE, 0);
	pending_drop(&http->to_origin);
	pending_drop(&http->to_client);
	free(http->in);
	http->in = NULL;
	http->in_len = http->in_size = 0;
	http->scan = (struct http_scan){0};
	http->answered = http->headed = http->keep = http->origin_deaf = false;
}

void session_http_unwatch(struct session *session)
{
	if (session->http)
		ev_io_stop(session->env->relay.loop, &session->http->server);
}

void session_http_free(struct session *session)
{
	if (!session->http)
		return;
	stop_watching(session);
	forget_request(session->http);
	free(session->http);
	session->http = NULL;
}

size_t session_http_held(const struct session *session)
{
	return session->http && session->opening->handshake.head ? session->http->to_origin.len : 0;
}

/* The client learns of it by a status if it has not been told another one. */
bool http_fail(struct session *session, enum cause cause)
{
	struct session_http *http = session->http;

	if (http->headed || http->to_client.len > 0) {
		session_end(session, cause);
		return false;
	}
	stop_watching(session);
	session_drop_server(session);
	session_fail(session, cause);
	return false;
}

/* The response ends too early. Where its end would be told by the end of the stream only a reset
 * says so; everywhere else the client sees it, and gets what there is. */
bool http_cut_short(struct session *session)
{
	if (http_client_framing(http_request_of(session), &session->http->response) ==
	    HTTP_BODY_UNTIL_CLOSE) {
		session_end(session, CAUSE_RESET);
		return false;
	}
	stop_watching(session);
	session_linger(session, CAUSE_RESET);
	return false;
}

/* An origin may close a connection that has served at any time: what may be said twice then is said
 * again. */
static bool may_say_again(const struct session *session)
{
	const struct session_http *http = session->http;

	return http->served && !http->answered && http_request_of(session)->repeatable;
}

/* The connection ended where a response should begin or go on. */
bool http_no_response(struct session *session)
{
	struct session_http *http = session->http;

	if (!may_say_again(session))
		return http_fail(session, CAUSE_BAD_RESPONSE);
	stop_watching(session);
	forget_request(http);
	http->served = false;
	session_dial(session);
	return false;
}

/* Over to the next request. */
static bool finish(struct session *session)
{
	struct session_http *http = session->http;
	bool keep;

	if (!http->headed || !http->down.done || http->to_client.len > 0)
		return true;
	keep = http->keep && session_may_wait(session);
	stop_watching(session);
	if (!keep || !http->response.keep)
		session_drop_server(session);
	forget_request(http);
	if (!keep) {
		session_linger(session, CAUSE_NONE);
		return false;
	}
	if (session->relay.server.fd >= 0) {
		http->served = true;
		ev_io_set(&http->server, session->relay.server.fd, EV_READ);
		ev_io_start(session->env->relay.loop, &http->server);
	}
	session_await_request(session);
	return false;
}

/* From the client's bytes that were read too early, or from its socket. Bytes, 0 for none yet,
 * -errno. */
static ssize_t read_request_body(struct session *session, uint8_t *buffer)
{
	const struct http_body *up = &session->http->up;
	struct opening *opening = session->opening;
	size_t max = up->framing == HTTP_BODY_CHUNKED ? READ_CHUNKED_BYTES : HTTP_READ_BYTES;
	ssize_t n;

	if (up->framing == HTTP_BODY_LENGTH && up->left < max)
		max = (size_t)up->left;
	if (opening->in_len > 0) {
		n = (ssize_t)(opening->in_len < max ? opening->in_len : max);
		memcpy(buffer, opening->in, (size_t)n);
		opening_drop(opening, (size_t)n);
		return n;
	}
	n = recv(session->relay.client.fd, buffer, max, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	opening->received += (uint64_t)n;
	return n == 0 ? -EPIPE : n;
}

/* What is behind the end of a body begins the next request; it stands before what is still unread.
 */
static int put_back(struct opening *opening, const uint8_t *bytes, size_t len)
{
	const size_t had = opening->in_len;
	int err = opening_put_back(opening, bytes, len);

	if (err || had == 0 || len == 0)
		return err;
	memmove(opening->in + len, opening->in, had);
	memcpy(opening->in, bytes, len);
	return 0;
}

static void on_origin_deaf(struct session_http *http)
{
	http->origin_deaf = true;
	pending_drop(&http->to_origin);
}

/* Once; true also when there is nothing to do. *more: it should be called again at once. */
static bool pump_up_once(struct session *session, bool *more)
{
	struct session_http *http = session->http;
	struct opening *opening = session->opening;
	const int fd = session->relay.server.fd;
	uint8_t *buffer = http_buffer(session);
	size_t consumed, payload;
	enum parse result;
	ssize_t n;
	int err;

	*more = false;
	if (http->up.done || http->origin_deaf || http->to_origin.len > 0)
		return true;
	n = read_request_body(session, buffer);
	if (n < 0) {
		session_end(session, CAUSE_CLIENT_GONE);
		return false;
	}
	if (n == 0)
		return true;
	result = http_body_take(&http->up, buffer, (size_t)n, &consumed, &payload);
	if (result == PARSE_BAD)
		return http_fail(session, CAUSE_BAD_REQUEST);
	http_count(session, &session->relay.flows[UP], payload);
	if (put_back(opening, buffer + consumed, (size_t)n - consumed)) {
		session_end(session, CAUSE_RESOURCES);
		return false;
	}
	err = pending_put_body(&http->to_origin, fd, http->up.framing, buffer, payload);
	if (!err && result == PARSE_DONE && http->up.framing == HTTP_BODY_CHUNKED)
		err = pending_put_end(&http->to_origin, fd, &http->up.chunked);
	if (err)
		on_origin_deaf(http);
	*more = opening->in_len > 0;
	return true;
}

static bool pump_up(struct session *session)
{
	bool more = true;

	while (more)
		if (!pump_up_once(session, &more))
			return false;
	return true;
}

static void watch(struct session *session, ev_io *io, int events)
{
	struct ev_loop *loop = session->env->relay.loop;

	if (events == (ev_is_active(io) ? io->events & (EV_READ | EV_WRITE) : 0))
		return;
	ev_io_stop(loop, io);
	ev_io_modify(io, events);
	if (events)
		ev_io_start(loop, io);
}

/* What each socket is waited for follows from what is held, and from nothing else. */
static void settle(struct session *session)
{
	struct session_http *http = session->http;
	int client = 0, server = 0;

	if (!finish(session))
		return;
	if (http->to_origin.len == 0 && !may_say_again(session))
		opening_drop_head(session->opening);
	if (!http->up.done && !http->origin_deaf && http->to_origin.len == 0)
		client |= EV_READ;
	if (http->to_client.len > 0)
		client |= write_pause_holds(&http->to_client_pause) ? 0 : EV_WRITE;
	else if (!http->down.done || !http->headed)
		server |= EV_READ;
	if (http->to_origin.len > 0 && !write_pause_holds(&http->to_origin_pause))
		server |= EV_WRITE;
	watch(session, &http->client, client);
	watch(session, &http->server, server);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	settle(timer->data);
}

/* 0 or -errno, as pending_send(). */
static int send_pending(struct session *session, struct pending *pending, struct write_pause *pause,
			int fd)
{
	struct ev_loop *loop = session->env->relay.loop;
	const size_t len = pending->len;
	const int err = pending_send(pending, fd);
	const bool took = pending->len < len;

	write_pause_tried(pause, loop, err || took || len == 0);
	if (took)
		session->relay.last_activity = loop_clock_s(loop);
	return err;
}

static void on_client(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;
	struct session_http *http = session->http;
	int err;

	(void)loop;
	if (events & EV_WRITE) {
		err = send_pending(session, &http->to_client, &http->to_client_pause, io->fd);
		if (err) {
			http_client_is_gone(session, err);
			return;
		}
	}
	if (!(events & EV_READ) || pump_up(session))
		settle(session);
}

static void on_server(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;
	struct session_http *http = session->http;

	(void)loop;
	/* It has nothing to say before it is asked; mostly it closes. */
	if (session->state != SESSION_EXCHANGING) {
		session_drop_server(session);
		return;
	}
	if (events & EV_WRITE) {
		if (send_pending(session, &http->to_origin, &http->to_origin_pause, io->fd))
			on_origin_deaf(http);
		if (!pump_up(session))
			return;
	}
	if (!(events & EV_READ) || http_pump_down(session))
		settle(session);
}

static bool same_destination(const struct destination *a, const struct destination *b)
{
	return a->port == b->port && strcasecmp(a->host, b->host) == 0 &&
	       (a->host[0] || address_same_ip(&a->address, &b->address));
}

void session_http_request(struct session *session)
{
	struct session_http *http = session->http;

	if (!http) {
		http = session->http = calloc(1, sizeof(*http));
		if (!http) {
			session_fail(session, CAUSE_RESOURCES);
			return;
		}
		ev_init(&http->client, on_client);
		ev_init(&http->server, on_server);
		http->client.data = http->server.data = session;
		write_pause_init(&http->to_client_pause, on_pause_over, session);
		write_pause_init(&http->to_origin_pause, on_pause_over, session);
	}
	/* A connection that has served may be closed any moment. What may not be said twice gets a
	 * new one. */
	if (session->relay.server.fd >= 0 && http_request_of(session)->repeatable &&
	    same_destination(&http->origin, &session->opening->handshake.destination)) {
		session_watch_client(session);
		session_http_connected(session, 0);
	} else {
		http->served = false;
		session_dial(session);
	}
}

void session_http_connected(struct session *session, size_t head_sent)
{
	struct session_http *http = session->http;
	const struct handshake *handshake = &session->opening->handshake;
	struct relay *relay = &session->relay;

	ev_io_stop(relay->env->loop, &http->server);
	ev_io_set(&http->client, relay->client.fd, 0);
	ev_io_set(&http->server, relay->server.fd, 0);
	http->origin = handshake->destination;
	http_body_begin(&http->up, handshake->http.framing, handshake->http.length);
	relay->last_activity = loop_clock_s(relay->env->loop);
	http_count(session, &relay->flows[UP], handshake->head_len);
	session_enter(session, SESSION_EXCHANGING);
	if (head_sent < handshake->head_len &&
	    pending_put(&http->to_origin, relay->server.fd, handshake->head + head_sent,
			handshake->head_len - head_sent))
		on_origin_deaf(http);
	if (pump_up(session))
		settle(session);
}

void session_http_timeout(struct session *session)
{
	http_fail(session, CAUSE_IDLE_TIMEOUT);
}
