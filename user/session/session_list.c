/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of all sessions of a worker. */
#include <stdio.h>
#include <stdlib.h>

#include "base/loop_clock.h"
#include "net/mptcp.h"
#include "net/way.h"
#include "session/session_private.h"
#include "shared/token_state.h"

void session_end_all(struct session_env *env, enum cause cause)
{
	struct session *next;

	for (struct session *session = env->sessions; session; session = next) {
		next = session->next;
		session_end(session, cause);
	}
}

static struct session *session_find(const struct session_env *env, uint64_t id)
{
	struct session *session = env->sessions;

	while (session && session->id != id)
		session = session->next;
	return session;
}

bool session_kill(struct session_env *env, uint64_t id)
{
	struct session *session = session_find(env, id);

	if (!session)
		return false;
	session_end(session, CAUSE_KILLED);
	return true;
}

void session_drain_all(struct session_env *env)
{
	struct session *next;

	env->draining = true;
	for (struct session *session = env->sessions; session; session = next) {
		next = session->next;
		if (session->state == SESSION_WAITING && !session_may_wait(session))
			session_end(session, CAUSE_NONE);
	}
}

void session_end_revoked(struct session_env *env)
{
	struct session *next;

	for (struct session *session = env->sessions; session; session = next) {
		next = session->next;
		if (session->token_state && token_state_is_revoked(session->token_state))
			session_end(session, CAUSE_REVOKED);
	}
}

/* Its client's side has an address of somebody else's. */
static bool session_is_taken(const struct session *session)
{
	union address at;
	socklen_t len = sizeof(at);

	return session->protocol == PROTOCOL_TRANSPARENT && !session->from_run &&
	       getsockname(session->relay.client.fd, &at.sa, &len) == 0 &&
	       route_is_own(session->env->links.routes, &at) == 0;
}

void session_end_taken(struct session_env *env)
{
	struct session *next;

	for (struct session *session = env->sessions; session; session = next) {
		next = session->next;
		if (session_is_taken(session))
			session_end(session, CAUSE_STOPPED);
	}
}

void session_tally(struct session *session)
{
	uint64_t more[DIRECTIONS];

	if (!session->env->config->history)
		return;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		more[d] = session->relay.flows[d].bytes - session->tallied[d];
		session->tallied[d] = session->relay.flows[d].bytes;
	}
	tally_add(&session->env->tally, &session->client, session->token_state ? session->user : "",
		  session_exit_name(session), more[UP], more[DOWN]);
}

void session_tally_all(struct session_env *env, struct tally *out)
{
	for (struct session *session = env->sessions; session; session = session->next) {
		relay_refresh(&session->relay);
		session_tally(session);
	}
	tally_take(&env->tally, out);
}

static void flow_describe(const struct relay *relay, const struct flow *flow, struct flow_row *row)
{
	*row = (struct flow_row){
		.tier = relay_tier(relay, flow),
		.reason = relay_reason(relay, flow),
		.tick_us = flow->tick.active ? flow->tick.interval_us : 0,
		.bytes = flow->bytes,
		.held = flow->held.len,
		.packets = flow->packets,
	};
	if (flow->sockmap && flow->sockmap->shared) {
		const struct hawser_flow *in_kernel = flow->sockmap->shared;

		row->redirected = in_kernel->redirected;
		row->passed = in_kernel->passed;
		row->granted = in_kernel->granted;
		row->entries = in_kernel->entries;
		row->exits = in_kernel->exits;
	}
}

const char *session_exit_name(const struct session *session)
{
	const struct config *config = session->config;

	for (size_t i = 0; session->exit && i < config->exit_count; i++)
		if (config->exits[i].state == session->exit)
			return config->exits[i].name;
	return "";
}

/* When it moved something, or began. */
static ev_tstamp session_last_s(const struct session *session)
{
	return session->state == SESSION_RELAYING || session->http ? session->relay.last_activity
								   : session->started;
}

static void session_describe(struct session *session, struct session_row *row)
{
	struct relay *relay = &session->relay;
	const double now = loop_clock_s(session->env->relay.loop);
	const bool relaying = session->state == SESSION_RELAYING;
	const bool http = session->http != NULL;

	relay_refresh(relay);
	*row = (struct session_row){
		.id = session->id,
		.client = session->client,
		.state = session_state_name(session),
		.protocol = session->protocol,
		.client_transport = relay->client.transport,
		.server_transport = relay->server.transport,
		.client_subflows = mptcp_subflows(relay->client.fd),
		.server_subflows = relay->server.fd >= 0 ? mptcp_subflows(relay->server.fd) : 0,
		.up = {.tier = "-", .reason = "-"},
		.down = {.tier = "-", .reason = "-"},
		.age_s = now - session->started,
		.idle_s = now - session_last_s(session),
	};
	snprintf(row->exit, sizeof(row->exit), "%s", session_exit_name(session));
	snprintf(row->user, sizeof(row->user), "%s", session->user ? session->user : "");
	if (relaying) {
		flow_describe(relay, &relay->flows[UP], &row->up);
		flow_describe(relay, &relay->flows[DOWN], &row->down);
	}
	if (http) {
		row->up =
			(struct flow_row){"copy", "HTTP requests", .bytes = relay->flows[UP].bytes};
		row->down = (struct flow_row){"copy", "HTTP requests",
					      .bytes = relay->flows[DOWN].bytes};
	}
	if (session->state == SESSION_TESTING) {
		row->up = (struct flow_row){"copy", "speed test", .bytes = relay->flows[UP].bytes};
		row->down =
			(struct flow_row){"copy", "speed test", .bytes = relay->flows[DOWN].bytes};
	}
	if (session->destination)
		snprintf(row->destination, sizeof(row->destination), "%s", session->destination);
}

void session_refresh_all(const struct session_env *env)
{
	for (struct session *session = env->sessions; session; session = session->next)
		relay_refresh(&session->relay);
}

void session_recall_all(const struct session_env *env)
{
	for (struct session *session = env->sessions; session; session = session->next)
		relay_recall(&session->relay);
}

void session_shake_all(const struct session_env *env)
{
	struct session *next;

	for (struct session *session = env->sessions; session; session = next) {
		next = session->next;
		if (session->state == SESSION_RELAYING && session->config->relay.torture)
			relay_shake(&session->relay, (unsigned int)random());
	}
}

static int compare_last(const void *a, const void *b)
{
	const ev_tstamp one = session_last_s(*(struct session *const *)a);
	const ev_tstamp other = session_last_s(*(struct session *const *)b);

	return (one < other) - (one > other);
}

size_t session_describe_all(const struct session_env *env, struct session_row *rows, size_t max)
{
	const size_t all = env->stats.sessions_active;
	struct session **list = calloc(all, sizeof(struct session *));
	size_t count = 0;

	for (struct session *session = env->sessions; list && session; session = session->next) {
		relay_refresh(&session->relay);
		list[count++] = session;
	}
	if (count > max) {
		qsort(list, count, sizeof(struct session *), compare_last);
		count = max;
	}
	for (size_t i = 0; i < count; i++)
		session_describe(list[i], &rows[i]);
	free(list);
	return count;
}

bool session_describe_one(const struct session_env *env, uint64_t id, struct session_detail *out)
{
	struct session *session = session_find(env, id);

	if (!session)
		return false;
	session_describe(session, &out->row);
	out->client_count = subflow_list(session->relay.client.fd, session->relay.client.transport,
					 out->client);
	out->upstream_count = 0;
	if (session->relay.server.fd >= 0)
		out->upstream_count = subflow_list(session->relay.server.fd,
						   session->relay.server.transport, out->upstream);
	return true;
}
