/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The beginning of a session whose client knows of no proxy: where it wanted to go, by which
 * address and by which name, and whether it is bypassed. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "intercept/run_redirect.h"
#include "links/portal_door.h"
#include "net/way.h"
#include "session/opening.h"
#include "session/original_destination.h"
#include "session/session_private.h"
#include "shared/exit_state.h"
#include "shared/meeting.h"
#include "shared/recent_dials.h"

/* What a wrong rule does to many connections is logged once in so long. */
#define COMPLAINT_LOG_S 60.

/* For the exit that it leaves by. */
static bool exits_want_name(const struct config *config)
{
	return config->intercept.prefer_name && config->exit_count > 0;
}

static bool session_wants_name(const struct session *session)
{
	return exits_want_name(session->config) && !session->plain;
}

/* The destination keeps its address besides: only an exit is to look the name up. A name without a
 * dot means something only where the client is. */
static void session_prefer_name(struct session *session)
{
	struct opening *opening = session->opening;

	if (session_wants_name(session) && strchr(opening->peek.name, '.'))
		memcpy(opening->handshake.destination.host, opening->peek.name,
		       sizeof(opening->peek.name));
}

static void session_on_peeked(void *owner, enum peek_result result)
{
	struct session *session = owner;

	if (result == PEEK_GONE) {
		session_end(session, CAUSE_CLIENT_GONE);
		return;
	}
	if (result == PEEK_BYPASSED) {
		session->plain = true;
		session->env->stats.bypassed_by_name++;
	}
	session_prefer_name(session);
	session_dial(session);
}

void session_stop_peeking(struct session *session)
{
	struct peek *peek = &session->opening->peek;
	enum peek_result result;

	peek_stop(peek);
	/* A busy host may not have looked at what has come meanwhile. */
	result = peek_now(session->relay.client.fd, &session->config->intercept, peek->name);
	session_on_peeked(session, result == PEEK_MORE ? PEEK_OTHER : result);
}

/* Where a server may speak first, the name counts only if it is there already. */
static bool client_speaks_first(uint16_t port)
{
	return port == 80 || port == 443;
}

static void session_begin_peeking(struct session *session)
{
	const struct intercept_config *config = &session->config->intercept;
	const int fd = session->relay.client.fd;
	enum peek_result result = PEEK_OTHER;

	if (!session->plain && (config->bypass_domain_count > 0 || session_wants_name(session)))
		result = peek_now(fd, config, session->opening->peek.name);
	if (result == PEEK_MORE &&
	    client_speaks_first(session->opening->handshake.destination.port)) {
		session_enter(session, SESSION_PEEKING);
		peek_start(&session->opening->peek, &session->env->relay.hangup, fd, config,
			   session_on_peeked, session);
		return;
	}
	session_on_peeked(session, result);
}

static void session_complain(const struct session *session, const char *what)
{
	struct session_env *env = session->env;
	const double now = clock_monotonic_s();
	char text[ADDRESS_TEXT_MAX];

	if (env->last_complaint_s != 0. && now - env->last_complaint_s < COMPLAINT_LOG_S)
		return;
	env->last_complaint_s = now;
	log_warning("session %llu from %s: %s", (unsigned long long)session->id,
		    address_format(&session->client, text), what);
}

bool session_can_hold(const struct session_env *env, const union address *client,
		      const union address *to)
{
	const struct config *config = env->config;

	/* One packet, whose sender may be forged, makes nobody a portal's guest. */
	if (portal_door_slot(to) >= 0)
		return false;
	if (client_speaks_first(address_port(to)) &&
	    (exits_want_name(config) || config->intercept.bypass_domain_count > 0))
		return false;
	/* One that comes back is for its session to complain of. */
	return !recent_dials_has(env->recent_dials, client, to, clock_monotonic_s());
}

static bool is_loop(const struct session *session, const union address *to)
{
	if (!recent_dials_has(session->env->recent_dials, &session->client, to,
			      clock_monotonic_s()))
		return false;
	session_complain(session, "hawserd made this connection itself, and a rule or router sent "
				  "it back; exempt what hawserd dials");
	return true;
}

bool session_is_loop(const struct session *session, const struct destination *forward)
{
	const bool named = forward->host[0] != 0;
	union address to;

	if (!named && !recent_dials_has(session->env->recent_dials, &session->client,
					&forward->address, clock_monotonic_s()))
		return false;
	/* A client on this host may have the port that a dial had. It was not sent here by a rule;
	 * an MPTCP socket does not tell. */
	if (original_address(session->relay.client.fd, &to) == -EOPNOTSUPP && !named)
		to = forward->address;
	return is_loop(session, &to);
}

bool session_is_for_exit(const struct config *config, const union address *to)
{
	union address known[EXIT_ADDRESSES_MAX];

	for (size_t i = 0; i < config->exit_count; i++)
		for (size_t n = exit_state_get_addresses(config->exits[i].state, known); n > 0; n--)
			if (address_same_ip(&known[n - 1], to))
				return true;
	return false;
}

/* What rules of interception do not bring, but for an exit whose address was not known when they
 * were made. A session of ours that dials a transparent listener ends there. */
static bool session_is_bypassed_by_address(const struct session *session, const union address *to)
{
	return session_is_for_exit(session->config, to) ||
	       (session->from_run &&
		(route_is_own(session->env->links.routes, to) != 0 ||
		 intercept_config_bypasses_address(&session->config->intercept, to)));
}

void session_start_transparent(struct session *session)
{
	struct destination *destination = &session->opening->handshake.destination;
	struct early_dial *early = NULL;
	enum cause cause = CAUSE_NONE;

	session->protocol = session->opening->handshake.protocol = PROTOCOL_TRANSPARENT;
	session->from_run =
		run_redirect_take(session->env->run, &session->client, &destination->address);
	if (!session->from_run)
		cause = original_destination(session->relay.client.fd, session->config,
					     session->env->links.routes, &destination->address);
	if (cause == CAUSE_NO_ORIGINAL)
		session_complain(session, "the kernel does not tell its destination: it "
					  "speaks MPTCP and came by REDIRECT (or dialled the "
					  "listener itself); TPROXY works with MPTCP clients");
	if (cause == CAUSE_NONE && !session->from_run && is_loop(session, &destination->address))
		cause = CAUSE_NOT_ALLOWED;
	if (cause != CAUSE_NONE) {
		session_end(session, cause);
		return;
	}
	session->env->stats.protocols[PROTOCOL_TRANSPARENT]++;
	destination->port = address_port(&destination->address);
	session->plain = session_is_bypassed_by_address(session, &destination->address);
	if (!session->from_run)
		early = meeting_take(session->env->dialled, &session->client,
				     &destination->address);
	if (early)
		session_adopt(session, early);
	else
		session_begin_peeking(session);
}
