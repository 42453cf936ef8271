/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a session gets in: who has not said yet where it wants to go makes room for others, and
 * nobody guesses. */
#include "base/clock.h"
#include "base/log.h"
#include "session/opening.h"
#include "session/session_private.h"
#include "shared/auth_penalty.h"

/* What many connections do is logged once in so long. */
#define CROWD_LOG_S 60.

static void log_crowd(struct session *session)
{
	struct session_env *env = session->env;
	const double now_s = clock_monotonic_s();
	char text[ADDRESS_TEXT_MAX];

	env->crowded_out++;
	if (env->crowd_logged_s != 0. && now_s - env->crowd_logged_s < CROWD_LOG_S)
		return;
	log_warning("too many clients connect and request nothing: %llu closed since the last such "
		    "line, one of %zu from %s just now",
		    (unsigned long long)env->crowded_out,
		    doorway_count(&env->doorway, &session->client),
		    address_format_ip(&session->client, text));
	env->crowd_logged_s = now_s;
	env->crowded_out = 0;
}

static void session_crowd_out(struct session *session)
{
	switch (session->state) {
	case SESSION_PEEKING:
		session_stop_peeking(session);
		return;
	case SESSION_HANDSHAKE:
		log_crowd(session);
		session_end(session, CAUSE_CROWDED);
		return;
	default:
		session_end(session, session->cause);
	}
}

int session_enter_doorway(struct session *session)
{
	struct doorway *doorway = &session->env->doorway;
	struct doorway_place *next = doorway_find_next(doorway, &session->client);

	if (next)
		session_crowd_out(next->owner);
	return doorway_enter(doorway, &session->opening->place, &session->client, session);
}

bool session_was_attempt(const struct session *session, enum cause cause)
{
	const struct handshake *handshake = &session->opening->handshake;

	return handshake->wrong_password ||
	       (handshake->gate && cause != CAUSE_CLOCK && cause != CAUSE_LIMIT);
}

void session_judge_guesses(struct session *session)
{
	static const struct users nobody;
	struct handshake *handshake = &session->opening->handshake;

	if (handshake->access == ACCESS_PASSWORD)
		handshake->users = failures_may_guess(session->env->penalty, &session->client,
						      clock_monotonic_s())
					   ? &session->config->users
					   : &nobody;
}
