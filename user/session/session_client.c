/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client says until its destination is known. */
#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/way.h"
#include "proto/proxy_protocol.h"
#include "session/opening.h"
#include "session/session_http.h"
#include "session/session_private.h"
#include "session/session_speed.h"
#include "shared/token_state.h"

/* Of all clients of one source on one worker together, for requests over OPENING_SMALL_BYTES. */
#define BIG_REQUESTS_MAX_BYTES ((size_t)1024 * 1024)

static void session_on_client_hup(void *owner, bool dead)
{
	(void)dead;
	session_end(owner, CAUSE_CLIENT_GONE);
}

/* The kernel keeps what the client sends from now on. */
void session_watch_client(struct session *session)
{
	struct session_env *env = session->env;

	ev_io_stop(env->relay.loop, &session->opening->io);
	peek_stop(&session->opening->peek);
	hangup_add(&env->relay.hangup, &session->relay.client.hangup, session->relay.client.fd,
		   HANGUP_DEATH, session_on_client_hup, session);
}

/* A router asks whether this exit is there. */
static void session_answer_probe(struct session *session)
{
	struct handshake_out out = {.len = 0};

	session->protocol = session->opening->handshake.protocol;
	session->env->stats.protocols[session->protocol]++;
	handshake_reply(&session->opening->handshake, CAUSE_NONE, NULL, &out);
	doorway_leave(&session->env->doorway, &session->opening->place);
	/* It is none of the sessions that the token may have. */
	token_state_end(session->token_state);
	session->token_state = NULL;
	session_refuse(session, CAUSE_NONE, &out);
}

/* Bytes of memory that its requests take. */
static size_t session_held(const struct session *session)
{
	const struct opening *opening = session->opening;

	return opening ? opening->in_size + opening->handshake.head_len + session_http_held(session)
		       : 0;
}

/* Long requests are for a few: together they must not take a small router's memory. */
static bool session_may_have_more(const struct session *session)
{
	size_t sum = 0;

	for (const struct session *other = session->env->sessions; other; other = other->next) {
		const size_t held = session_held(other);

		if (held > OPENING_SMALL_BYTES &&
		    address_same_source(&other->client, &session->client))
			sum += held;
	}
	return sum + 2 * session->opening->in_size <= BIG_REQUESTS_MAX_BYTES;
}

/* False: nothing came, or the session is gone. */
static bool session_read_client(struct session *session)
{
	int err = -ENOMEM;

	if (!opening_is_big(session->opening) || session_may_have_more(session))
		err = opening_read(session->opening, session->relay.client.fd);
	if (err == -ENOMEM)
		session_fail(session, CAUSE_RESOURCES);
	else if (err == -EPIPE)
		session_end(session,
			    session->state == SESSION_WAITING ? CAUSE_NONE : CAUSE_CLIENT_GONE);
	else if (!err && session->state == SESSION_WAITING)
		session_enter(session, SESSION_HANDSHAKE);
	return !err;
}

static void session_on_handshake(struct session *session)
{
	if (session->opening->handshake.probe)
		session_answer_probe(session);
	else if (session->opening->handshake.wants_speed)
		session_speed_start(session);
	else if (session->opening->handshake.protocol == PROTOCOL_HTTP)
		session_http_request(session);
	else
		session_dial(session);
}

static void session_on_client(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;
	const struct handshake *handshake = &session->opening->handshake;
	struct handshake_out refusal;
	int result;

	(void)loop;
	if (events & EV_READ && !session_read_client(session))
		return;
	session_judge_guesses(session);
	result = opening_advance(session->opening, io->fd, &refusal);
	session->token_state = handshake->token ? handshake->token->token_state : NULL;
	session->user = handshake->token ? handshake->token->name : handshake->user;
	switch (result) {
	case PARSE_DONE:
		session_on_handshake(session);
		break;
	case PARSE_BAD:
		session_refuse_handshake(session, handshake->cause, &refusal);
		break;
	case -EPIPE:
		session_end(session, CAUSE_CLIENT_GONE);
		break;
	default:
		break;
	}
}

bool session_may_wait(const struct session *session)
{
	uint8_t byte;

	return !session->env->draining || session->opening->in_len > 0 ||
	       recv(session->relay.client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void session_await_request(struct session *session)
{
	struct opening *opening = session->opening;
	struct ev_loop *loop = session->env->relay.loop;

	hangup_remove(&session->env->relay.hangup, &session->relay.client.hangup);
	handshake_next(&opening->handshake);
	ev_io_set(&opening->io, session->relay.client.fd, EV_READ);
	ev_io_start(loop, &opening->io);
	session_enter(session, opening->in_len > 0 ? SESSION_HANDSHAKE : SESSION_WAITING);
	if (opening->in_len > 0)
		ev_feed_event(loop, &opening->io, EV_CUSTOM);
}

void session_begin(struct session *session)
{
	const struct destination *forward = session->opening->forward;
	struct handshake *handshake = &session->opening->handshake;
	ev_io *io = &session->opening->io;

	handshake->access = config_access(session->config, &session->client);
	if (!forward) {
		ev_set_cb(io, session_on_client);
		ev_io_start(session->env->relay.loop, io);
		/* It may have said all already, and is not to be crowded out before its turn. */
		session_on_client(session->env->relay.loop, io, EV_READ);
	} else if (config_forward_allowed(session->config, &session->client) &&
		   !session_is_loop(session, forward)) {
		handshake->protocol = PROTOCOL_FORWARD;
		handshake->destination = *forward;
		session_dial(session);
	} else {
		session_end(session, CAUSE_NOT_ALLOWED);
	}
}

static void session_on_proxy_header(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;
	struct opening *opening = session->opening;
	struct proxy_protocol header;
	const int result = opening_read_proxy_header(opening, io->fd, &header);
	char text[ADDRESS_TEXT_MAX];

	(void)events;
	if (result == -EAGAIN)
		return;
	if (result == PARSE_BAD) {
		log_debug("session %llu: PROXY protocol header of %s: %s",
			  (unsigned long long)session->id, address_format(&session->client, text),
			  header.problem);
		session_end(session, CAUSE_PROXY_HEADER);
		return;
	}
	if (result != PARSE_DONE) {
		session_end(session, CAUSE_CLIENT_GONE);
		return;
	}
	/* Loopback of another host is none of ours. */
	if (header.source.sa.sa_family != AF_UNSPEC &&
	    (!address_is_loopback(&header.source) ||
	     route_is_own(session->env->links.routes, &session->client) > 0))
		session->client = header.source;
	ev_io_stop(loop, io);
	doorway_leave(&session->env->doorway, &opening->place);
	if (session_enter_doorway(session)) {
		session_end(session, CAUSE_RESOURCES);
		return;
	}
	session_begin(session);
}

void session_init_client(struct session *session)
{
	ev_io *io = &session->opening->io;

	ev_io_init(io, session_on_proxy_header, session->relay.client.fd, EV_READ);
	io->data = session;
}
