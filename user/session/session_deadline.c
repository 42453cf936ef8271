/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long each state of a session may last, and what follows when that is over. */
#include "base/loop_clock.h"
#include "net/socket.h"
#include "session/opening.h"
#include "session/session_http.h"
#include "session/session_private.h"
#include "shared/auth_penalty.h"

/* How long a client may take to send the name, on ports where the client speaks first. A LAN brings
 * it in milliseconds; what else may be behind these ports, as ssh, waits for so long. */
#define PEEKING_S 0.3

/* How long a client may take to send its next HTTP request. */
#define WAITING_MAX_S 120.

/* How long a refused client may take to read the refusal and close, ... */
#define REFUSING_S 2.
/* ... and so many times that, while it still sends or has not acknowledged the refusal. */
#define REFUSALS_MAX 5

/* A relay is looked at so many times before its time is over. What the peers acknowledge tells of
 * itself at no other time. */
#define LOOKS 4

static double session_deadline_s(const struct session *session)
{
	const struct timeouts *timeouts = &session->config->timeouts;

	switch (session->state) {
	case SESSION_HANDSHAKE:
		return timeouts->handshake_s;
	case SESSION_PEEKING:
		return PEEKING_S;
	case SESSION_RESOLVING:
		return timeouts->resolve_s;
	case SESSION_CONNECTING:
		return timeouts->connect_s;
	case SESSION_DELAYING:
		return AUTH_PENALTY_DELAY_MAX_S;
	case SESSION_RELAYING:
		return relay_half_closed(&session->relay) ? timeouts->half_closed_s
							  : timeouts->idle_s;
	case SESSION_TESTING:
		/* It ends by itself. */
		return 2. * SPEED_SECONDS_MAX;
	case SESSION_EXCHANGING:
		return timeouts->idle_s;
	case SESSION_WAITING:
		return timeouts->idle_s < WAITING_MAX_S ? timeouts->idle_s : WAITING_MAX_S;
	default:
		return REFUSING_S;
	}
}

void session_arm(struct session *session, double after_s)
{
	ev_timer_stop(session->env->relay.loop, &session->deadline);
	ev_timer_set(&session->deadline, after_s, 0.);
	ev_timer_start(session->env->relay.loop, &session->deadline);
}

void session_arm_deadline(struct session *session)
{
	const double s = session_deadline_s(session);

	session_arm(session,
		    session->state == SESSION_RELAYING || session->state == SESSION_EXCHANGING
			    ? s / LOOKS
			    : s);
}

/* Bytes moved do not touch the timer; it looks here when the last one was. */
static void session_look_at_relay(struct session *session)
{
	const double most_s = session_deadline_s(session);
	struct relay *relay = &session->relay;
	double left_s;

	relay_look(relay);
	left_s = relay->last_activity + most_s - loop_clock_s(session->env->relay.loop);
	if (left_s > 0.)
		session_arm(session, left_s < most_s / LOOKS ? left_s : most_s / LOOKS);
	else if (session->state == SESSION_EXCHANGING)
		session_http_timeout(session);
	else
		session_end(session, relay_half_closed(relay) ? CAUSE_HALF_CLOSED_TIMEOUT
							      : CAUSE_IDLE_TIMEOUT);
}

static void session_look_at_refused(struct session *session)
{
	struct opening *opening = session->opening;
	const bool lives = opening->heard || socket_unacknowledged(session->relay.client.fd) > 0;

	if (lives && ++opening->refusals < REFUSALS_MAX) {
		opening->heard = false;
		session_arm_deadline(session);
	} else {
		session_end(session, session->cause);
	}
}

static void session_on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct session *session = timer->data;

	(void)loop;
	(void)events;
	switch (session->state) {
	case SESSION_HANDSHAKE:
		session_fail(session, CAUSE_HANDSHAKE_TIMEOUT);
		break;
	case SESSION_DELAYING:
		session_refuse(session, session->cause, &session->opening->refusal);
		break;
	case SESSION_PEEKING:
		session_stop_peeking(session);
		break;
	case SESSION_RESOLVING:
		session_fail(session, CAUSE_RESOLVE_FAILED);
		break;
	case SESSION_CONNECTING:
		session_fail(session, CAUSE_CONNECT_TIMEOUT);
		break;
	case SESSION_TESTING:
		session_end(session, CAUSE_IDLE_TIMEOUT);
		break;
	case SESSION_WAITING:
		session_end(session, CAUSE_NONE);
		break;
	case SESSION_RELAYING:
	case SESSION_EXCHANGING:
		session_look_at_relay(session);
		break;
	default:
		session_look_at_refused(session);
	}
}

void session_init_deadline(struct session *session)
{
	ev_init(&session->deadline, session_on_deadline);
	session->deadline.data = session;
}
