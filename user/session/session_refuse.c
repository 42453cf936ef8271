/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a client is told that it gets nothing, so that it reads it. */
#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "session/opening.h"
#include "session/session_private.h"
#include "shared/auth_penalty.h"

static void session_on_refused_client(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;
	uint8_t discarded[4096];
	ssize_t n = recv(io->fd, discarded, sizeof(discarded), MSG_DONTWAIT);

	(void)loop;
	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		session_end(session, session->cause);
	else
		session->opening->heard |= n > 0;
}

/* A close of ours with bytes unread would become a reset that may overtake what was sent. */
void session_linger(struct session *session, enum cause cause)
{
	struct opening *opening = session->opening;
	struct ev_loop *loop = session->env->relay.loop;

	session->cause = cause;
	hangup_remove(&session->env->relay.hangup, &session->relay.client.hangup);
	opening_cancel_dial(opening);
	opening_drop(opening, opening->in_len);
	opening_drop_head(opening);
	session_drop_server(session);
	session_enter(session, SESSION_REFUSING);
	shutdown(session->relay.client.fd, SHUT_WR);
	ev_io_stop(loop, &opening->io);
	ev_io_init(&opening->io, session_on_refused_client, session->relay.client.fd, EV_READ);
	opening->io.data = session;
	ev_io_start(loop, &opening->io);
}

void session_refuse(struct session *session, enum cause cause, const struct handshake_out *out)
{
	opening_cancel_dial(session->opening);
	if (out->len == 0 || !opening_answer(session->relay.client.fd, out))
		session_end(session, cause);
	else
		session_linger(session, cause);
}

void session_fail(struct session *session, enum cause cause)
{
	struct handshake_out out = {.len = 0};
	const char *destination = session->destination ? session->destination : "?";

	log_debug("session %llu: %s: %s", (unsigned long long)session->id, destination,
		  cause_info(cause)->text);
	handshake_reply(&session->opening->handshake, cause, NULL, &out);
	session_refuse(session, cause, &out);
}

void session_refuse_handshake(struct session *session, enum cause cause,
			      const struct handshake_out *out)
{
	struct opening *opening = session->opening;
	const struct session_env *env = session->env;
	double delay_s;
	bool tell;

	if (!session_was_attempt(session, cause)) {
		session_refuse(session, cause, out);
		return;
	}
	session->cause = cause;
	opening->refusal = *out;
	session_watch_client(session);
	session_enter(session, SESSION_DELAYING);
	delay_s = auth_penalty_note(env->penalty, &session->client, clock_monotonic_s(), &tell);
	if (tell)
		session_tell_refused(session, cause);
	session_arm(session, delay_s);
}
