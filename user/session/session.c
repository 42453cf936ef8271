/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client's life as a state machine, from accept to close. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "accel/local.h"
#include "auth/gate.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/loop_clock.h"
#include "net/socket.h"
#include "net/socket_reset.h"
#include "session/opening.h"
#include "session/session_http.h"
#include "session/session_private.h"
#include "session/session_speed.h"
#include "shared/exit_state.h"
#include "shared/token_state.h"

#define OPTION_TRIALS 64

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static const struct {
	const char *name;
	unsigned int next; /* bits of the states that may follow; any state may end */
} states[SESSION_STATE_COUNT] = {
	[SESSION_HANDSHAKE] = {"handshake", 1U << SESSION_PEEKING | 1U << SESSION_RESOLVING |
						    1U << SESSION_EXCHANGING |
						    1U << SESSION_TESTING | 1U << SESSION_DELAYING |
						    1U << SESSION_REFUSING},
	[SESSION_PEEKING] = {"peeking", 1U << SESSION_RESOLVING},
	[SESSION_RESOLVING] = {"resolving", 1U << SESSION_CONNECTING | 1U << SESSION_REFUSING},
	[SESSION_CONNECTING] = {"connecting", 1U << SESSION_RELAYING | 1U << SESSION_EXCHANGING |
						      1U << SESSION_REFUSING},
	[SESSION_RELAYING] = {"relaying", 0},
	[SESSION_EXCHANGING] = {"exchanging", 1U << SESSION_HANDSHAKE | 1U << SESSION_WAITING |
						      1U << SESSION_RESOLVING |
						      1U << SESSION_RELAYING |
						      1U << SESSION_REFUSING},
	[SESSION_TESTING] = {"speed-test", 1U << SESSION_REFUSING},
	[SESSION_WAITING] = {"waiting", 1U << SESSION_HANDSHAKE | 1U << SESSION_REFUSING},
	[SESSION_DELAYING] = {"delaying", 1U << SESSION_REFUSING},
	[SESSION_REFUSING] = {"refusing", 0},
};

const char *session_state_name(const struct session *session)
{
	return states[session->state].name;
}

/* The only writer of the state. */
void session_enter(struct session *session, enum session_state state)
{
	assert(states[session->state].next & 1U << state);
	session->state = state;
	session_arm_deadline(session);
	log_debug("session %llu: %s", (unsigned long long)session->id, states[state].name);
}

void session_close_opening(struct session *session)
{
	struct opening *opening = session->opening;

	if (!opening)
		return;
	ev_io_stop(session->env->relay.loop, &opening->io);
	doorway_leave(&session->env->doorway, &opening->place);
	peek_stop(&opening->peek);
	hangup_remove(&session->env->relay.hangup, &session->relay.client.hangup);
	opening_cancel_dial(opening);
	session_http_free(session);
	session_speed_stop(session);
	opening_free(opening);
	session->opening = NULL;
}

void session_drop_server(struct session *session)
{
	struct leg *server = &session->relay.server;

	if (server->fd < 0)
		return;
	session_http_unwatch(session);
	session_record_look(session);
	session_tally(session);
	close(server->fd);
	server->fd = -1;
	server->transport = TRANSPORT_NONE;
	server->doubled = 0;
	if (session->exit)
		exit_state_end(session->exit);
	session->exit = NULL;
}

/* A listener of MPTCP does not hand on all that it has, even to plain TCP (run on 6.18). So the
 * first clients show what is missing; some may have come before the listener had it. */
static void session_prepare_client(const struct session *session, struct handed_on *handed_on)
{
	const int fd = session->relay.client.fd;
	const struct socket_options options = config_socket_options(session->config);
	unsigned int which = SOCKET_OPTIONS_ALL;

	if (session->relay.client.transport == TRANSPORT_TCP) {
		if (handed_on->trials < OPTION_TRIALS) {
			handed_on->missing = socket_options_missing(fd, &options);
			handed_on->trials++;
		}
		which = handed_on->missing;
	}
	socket_options_set(fd, &options, which);
}

/* One that sends until its time is over: what its reader leaves is nothing the kernel has to hold.
 */
static bool has_noise_left(const struct session *session)
{
	return session->state == SESSION_REFUSING && session->opening->handshake.wants_speed &&
	       session->relay.flows[DOWN].bytes > 0 &&
	       socket_unacknowledged(session->relay.client.fd) > 0;
}

void session_end(struct session *session, enum cause cause)
{
	struct session_env *env = session->env;
	const int fds[] = {session->relay.client.fd, session->relay.server.fd};
	/* Whoever knows of no proxy must not take its close for the destination's. */
	const bool cut =
		has_noise_left(session) ||
		(cause != CAUSE_NONE &&
		 (session->state == SESSION_RELAYING || session->state == SESSION_EXCHANGING ||
		  session->state == SESSION_TESTING || session->protocol == PROTOCOL_TRANSPARENT));

	relay_refresh(&session->relay);
	session_record_end(session, cause);
	session_tally(session);
	log_write(cause == CAUSE_BYTES_LOST ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
		  "session %llu: ended: %s; %llu bytes up, %llu down",
		  (unsigned long long)session->id, cause_info(cause)->text,
		  (unsigned long long)session->relay.flows[UP].bytes,
		  (unsigned long long)session->relay.flows[DOWN].bytes);
	ev_timer_stop(env->relay.loop, &session->deadline);
	session_close_opening(session);
	relay_stop(&session->relay);
	local_counts_add(&env->stats.local, local_client_close(session->relay.flows[UP].local));
	for (size_t i = 0; i < 2; i++) {
		if (fds[i] >= 0 && cut)
			socket_reset(fds[i]);
		else if (fds[i] >= 0)
			close(fds[i]);
	}
	descriptors_give(DESCRIPTORS_SESSION, 1);
	*session->link = session->next;
	if (session->next)
		session->next->link = session->link;
	env->stats.ended[cause]++;
	env->stats.sessions_active--;
	if (session->token_state)
		token_state_end(session->token_state);
	if (session->exit)
		exit_state_end(session->exit);
	config_put(session->config);
	if (session->destination != session->short_destination)
		free(session->destination);
	session_free(env, session);
	heap_trim_soon(&env->heap);
}

static void session_on_relay(struct relay *relay, enum relay_event event, enum cause cause)
{
	struct session *session = container_of(relay, struct session, relay);

	if (event == RELAY_ENDED) {
		session_end(session, cause);
		return;
	}
	session_record_look(session);
	session_arm_deadline(session);
}

static struct session *session_new(struct session_env *env, int fd, const union address *client,
				   const struct gate *gate)
{
	struct session *session = session_alloc(env);

	if (!session)
		return NULL;
	session->opening =
		opening_new(config_access(env->config, client), &env->config->users, gate);
	if (!session->opening) {
		session_free(env, session);
		return NULL;
	}
	session->env = env;
	session->config = config_get(env->config);
	session->client = *client;
	session->id = env->next_id;
	env->next_id += env->id_step;
	session->started = loop_clock_s(env->relay.loop);
	session_init_deadline(session);
	relay_init(&session->relay, &env->relay, session_on_relay);
	session->relay.client.fd = fd;
	session->relay.client.transport = mptcp_transport(fd);
	session->next = env->sessions;
	session->link = &env->sessions;
	if (session->next)
		session->next->link = &session->next;
	env->sessions = session;
	env->stats.sessions_total++;
	env->stats.sessions_active++;
	env->stats.client_transport[session->relay.client.transport]++;
	return session;
}

void session_start(struct session_env *env, int fd, const union address *client,
		   const struct listen_config *listen, struct handed_on *handed_on)
{
	struct session *session = session_new(env, fd, client, listen->gate);
	struct opening *opening;

	if (!session) {
		env->stats.ended[CAUSE_RESOURCES]++;
		close(fd);
		descriptors_give(DESCRIPTORS_SESSION, 1);
		return;
	}
	session_prepare_client(session, handed_on);
	opening = session->opening;
	opening->forward = listen->forward ? &listen->to : NULL;
	session_init_client(session);
	session_arm_deadline(session);
	if (session_enter_doorway(session))
		session_end(session, CAUSE_RESOURCES);
	else if (listen->transparent)
		session_start_transparent(session);
	else if (config_accepts_proxy(session->config, client))
		ev_io_start(env->relay.loop, &opening->io);
	else
		session_begin(session);
}
