/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client's life as a state machine, from accept to close. */
#include "session.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "congestion.h"
#include "dial.h"
#include "local_accel.h"
#include "log.h"
#include "opening.h"
#include "socket.h"

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

enum session_state {
	SESSION_HANDSHAKE,
	SESSION_RESOLVING,
	SESSION_CONNECTING,
	SESSION_RELAYING,
	SESSION_REFUSING, /* the refusal is sent; waits for the client to close, so that it reads it
			   */
	SESSION_STATE_COUNT
};

static const struct {
	const char *name;
	unsigned int next; /* bits of the states that may follow; any state may end */
} states[SESSION_STATE_COUNT] = {
	[SESSION_HANDSHAKE] = {"handshake", 1U << SESSION_RESOLVING | 1U << SESSION_REFUSING},
	[SESSION_RESOLVING] = {"resolving", 1U << SESSION_CONNECTING | 1U << SESSION_REFUSING},
	[SESSION_CONNECTING] = {"connecting", 1U << SESSION_RELAYING | 1U << SESSION_REFUSING},
	[SESSION_RELAYING] = {"relaying", 0},
	[SESSION_REFUSING] = {"refusing", 0},
};

/* How long a refused client may take to read the refusal and close. */
#define REFUSING_S 2.

struct session {
	struct session_env *env;
	struct session *next;
	struct session **link; /* what points here */
	const struct config *config;
	struct opening *opening; /* NULL from SESSION_RELAYING on */
	char *destination;	 /* as text, for output; NULL while unknown */
	uint64_t id;
	ev_tstamp started;
	ev_timer deadline;
	union address client;
	enum session_state state;
	enum protocol protocol;
	enum cause cause; /* why it was refused */
	struct relay relay;
};

static void session_close_opening(struct session *session)
{
	struct opening *opening = session->opening;

	if (!opening)
		return;
	ev_io_stop(session->env->relay.loop, &opening->io);
	hup_remove(&session->env->relay.hup, &session->relay.client.hup);
	if (opening->dial)
		dial_cancel(opening->dial);
	opening_free(opening);
	session->opening = NULL;
}

/* Every way out leads through here. */
static void session_end(struct session *session, enum cause cause)
{
	struct session_env *env = session->env;
	const int fds[] = {session->relay.client.fd, session->relay.server.fd};
	const bool cut = session->state == SESSION_RELAYING && cause != CAUSE_NONE;

	relay_refresh(&session->relay);
	log_write(cause == CAUSE_BYTES_LOST ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
		  "session %llu: ended: %s; %llu bytes up, %llu down",
		  (unsigned long long)session->id, cause_info(cause)->text,
		  (unsigned long long)session->relay.up.bytes,
		  (unsigned long long)session->relay.down.bytes);
	ev_timer_stop(env->relay.loop, &session->deadline);
	session_close_opening(session);
	relay_stop(&session->relay);
	local_client_close(session->relay.up.local, &env->stats);
	for (size_t i = 0; i < 2; i++) {
		if (fds[i] >= 0 && cut)
			socket_reset(fds[i]);
		else if (fds[i] >= 0)
			close(fds[i]);
	}
	*session->link = session->next;
	if (session->next)
		session->next->link = session->link;
	env->stats.ended[cause]++;
	env->stats.sessions_active--;
	config_put(session->config);
	free(session->destination);
	free(session);
}

static double session_deadline_s(const struct session *session)
{
	const struct timeouts *timeouts = &session->config->timeouts;

	switch (session->state) {
	case SESSION_HANDSHAKE:
		return timeouts->handshake_s;
	case SESSION_RESOLVING:
		return timeouts->resolve_s;
	case SESSION_CONNECTING:
		return timeouts->connect_s;
	case SESSION_RELAYING:
		return relay_half_closed(&session->relay) ? timeouts->half_closed_s
							  : timeouts->idle_s;
	default:
		return REFUSING_S;
	}
}

static void session_arm(struct session *session, double after_s)
{
	ev_timer_stop(session->env->relay.loop, &session->deadline);
	ev_timer_set(&session->deadline, after_s, 0.);
	ev_timer_start(session->env->relay.loop, &session->deadline);
}

/* The only writer of the state. */
static void session_enter(struct session *session, enum session_state state)
{
	assert(states[session->state].next & 1U << state);
	session->state = state;
	session_arm(session, session_deadline_s(session));
	log_debug("session %llu: %s", (unsigned long long)session->id, states[state].name);
}

static void session_on_refused_client(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;
	uint8_t discarded[4096];
	ssize_t n = recv(io->fd, discarded, sizeof(discarded), MSG_DONTWAIT);

	(void)loop;
	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		session_end(session, session->cause);
}

/* Sends out, which holds the refusal, and waits for the client to close: a close of ours with bytes
 * unread would become a reset that may overtake the refusal. */
static void session_refuse(struct session *session, enum cause cause,
			   const struct handshake_out *out)
{
	struct opening *opening = session->opening;
	struct ev_loop *loop = session->env->relay.loop;

	session->cause = cause;
	hup_remove(&session->env->relay.hup, &session->relay.client.hup);
	if (opening->dial)
		dial_cancel(opening->dial);
	opening->dial = NULL;
	if (out->len == 0 || !opening_answer(session->relay.client.fd, out)) {
		session_end(session, cause);
		return;
	}
	session_enter(session, SESSION_REFUSING);
	shutdown(session->relay.client.fd, SHUT_WR);
	ev_io_stop(loop, &opening->io);
	ev_io_init(&opening->io, session_on_refused_client, session->relay.client.fd, EV_READ);
	opening->io.data = session;
	ev_io_start(loop, &opening->io);
}

/* As session_refuse, with the refusal that the protocol has for this cause. */
static void session_fail(struct session *session, enum cause cause)
{
	struct handshake_out out = {.len = 0};
	const char *destination = session->destination ? session->destination : "?";

	log_debug("session %llu: %s: %s", (unsigned long long)session->id, destination,
		  cause_info(cause)->text);
	handshake_reply(&session->opening->handshake, cause, NULL, &out);
	session_refuse(session, cause, &out);
}

static void session_on_relay(struct relay *relay, enum relay_event event, enum cause cause)
{
	struct session *session = container_of(relay, struct session, relay);

	if (event == RELAY_ENDED)
		session_end(session, cause);
	else
		session_arm(session, session_deadline_s(session));
}

/* A client in the cgroup may send past TCP from now on. */
static void session_accelerate(struct session *session)
{
	struct relay *relay = &session->relay;
	struct local_client *local =
		local_client_open(session->env->local, relay->client.fd, &session->client,
				  session->opening->received, session->id);

	if (local)
		relay_set_local(relay, local);
}

static void session_relay(struct session *session, int fd, enum transport transport)
{
	struct relay *relay = &session->relay;

	relay->server.fd = fd;
	relay->server.transport = transport;
	session->env->stats.server_transport[transport]++;
	/* Not before it is connected: a socket that fell back then passes options on to its TCP. */
	socket_prepare(fd, &session->config->relay.tune);
	congestion_choose(session->config, fd, transport);
	congestion_choose(session->config, relay->client.fd, relay->client.transport);
	relay_prepare(relay, &session->config->relay, session->id);
	if (opening_hand_over(session->opening, relay)) {
		session_end(session, CAUSE_RESOURCES);
		return;
	}
	session_accelerate(session);
	session_close_opening(session);
	session_enter(session, SESSION_RELAYING);
	relay_start(relay);
}

static void session_on_dial(void *context, enum dial_event event, const struct dial_result *result)
{
	struct session *session = context;

	if (event == DIAL_CONNECTING) {
		session_enter(session, SESSION_CONNECTING);
		return;
	}
	session->opening->dial = NULL;
	if (event == DIAL_CONNECTED)
		session_relay(session, result->fd, result->transport);
	else
		session_fail(session, result->cause);
}

static void session_on_client_hup(void *owner, bool dead)
{
	(void)dead;
	session_end(owner, CAUSE_CLIENT_GONE);
}

static void session_dial(struct session *session)
{
	struct opening *opening = session->opening;
	struct session_env *env = session->env;
	const struct destination *destination = &opening->handshake.destination;
	char text[DESTINATION_TEXT_MAX];

	session->protocol = opening->handshake.protocol;
	session->destination = strdup(destination_format(destination, text));
	env->stats.protocols[session->protocol]++;
	/* The kernel keeps what the client sends from now on; of the client we only want to know
	 * whether it is still there. */
	ev_io_stop(env->relay.loop, &opening->io);
	hup_add(&env->relay.hup, &session->relay.client.hup, session->relay.client.fd, HUP_DEATH,
		session_on_client_hup, session);
	session_enter(session, SESSION_RESOLVING);
	opening->dial = dial_start(&(struct dial_request){.loop = env->relay.loop,
							  .resolver = env->resolver,
							  .tcp_only = env->tcp_only,
							  .mptcp_pause = &env->mptcp_pause,
							  .links = &env->links,
							  .config = session->config,
							  .destination = destination,
							  .client = &session->client},
				   session_on_dial, session);
	if (!opening->dial)
		session_fail(session, CAUSE_RESOURCES);
}

static void session_on_client(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;
	struct handshake_out refusal;

	(void)loop;
	(void)events;
	switch (opening_advance(session->opening, io->fd, &refusal)) {
	case PARSE_DONE:
		session_dial(session);
		break;
	case PARSE_BAD:
		session_refuse(session, session->opening->handshake.cause, &refusal);
		break;
	case -EPIPE:
		session_end(session, CAUSE_CLIENT_GONE);
		break;
	default:
		break;
	}
}

static void session_on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct session *session = timer->data;
	double left_s;

	(void)events;
	switch (session->state) {
	case SESSION_HANDSHAKE:
		session_fail(session, CAUSE_HANDSHAKE_TIMEOUT);
		return;
	case SESSION_RESOLVING:
		session_fail(session, CAUSE_RESOLVE_FAILED);
		return;
	case SESSION_CONNECTING:
		session_fail(session, CAUSE_CONNECT_TIMEOUT);
		return;
	case SESSION_RELAYING:
		/* Bytes moved do not touch the timer; it looks here when the last one was. Those
		 * that the kernel moved by itself count as of now. */
		relay_refresh(&session->relay);
		left_s = session->relay.last_activity + session_deadline_s(session) - ev_now(loop);
		if (left_s > 0.)
			session_arm(session, left_s);
		else
			session_end(session, relay_half_closed(&session->relay)
						     ? CAUSE_HALF_CLOSED_TIMEOUT
						     : CAUSE_IDLE_TIMEOUT);
		return;
	default:
		session_end(session, session->cause);
	}
}

static struct session *session_new(struct session_env *env, int fd, const union address *client)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->opening = opening_new(config_access(env->config, client), &env->config->users);
	if (!session->opening) {
		free(session);
		return NULL;
	}
	session->env = env;
	session->config = config_get(env->config);
	session->client = *client;
	session->id = env->next_id;
	env->next_id += env->id_step;
	session->started = ev_now(env->relay.loop);
	ev_init(&session->deadline, session_on_deadline);
	session->deadline.data = session;
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
		   const struct listen_config *listen)
{
	struct session *session = session_new(env, fd, client);
	struct handshake *handshake;

	if (!session) {
		env->stats.ended[CAUSE_RESOURCES]++;
		close(fd);
		return;
	}
	socket_prepare(fd, &session->config->relay.tune);
	handshake = &session->opening->handshake;
	ev_io_init(&session->opening->io, session_on_client, fd, EV_READ);
	session->opening->io.data = session;
	session_arm(session, session_deadline_s(session));
	if (!listen->forward) {
		ev_io_start(env->relay.loop, &session->opening->io);
	} else if (config_forward_allowed(session->config, client)) {
		handshake->protocol = PROTOCOL_FORWARD;
		handshake->destination = listen->to;
		session_dial(session);
	} else {
		session_end(session, CAUSE_NOT_ALLOWED);
	}
}

void session_end_all(struct session_env *env, enum cause cause)
{
	struct session *next;

	for (struct session *session = env->sessions; session; session = next) {
		next = session->next;
		session_end(session, cause);
	}
}

static void flow_describe(const struct relay *relay, const struct flow *flow, struct flow_row *row)
{
	*row = (struct flow_row){
		.tier = relay_tier(relay, flow),
		.reason = relay_reason(relay, flow),
		.tick_us = flow->tick.active ? flow->tick.interval_us : 0,
		.bytes = flow->bytes,
		.held = flow->held.len,
	};
	if (flow->parked && flow->parked->flow) {
		const struct hawser_flow *in_kernel = flow->parked->flow;

		row->redirected = in_kernel->redirected;
		row->passed = in_kernel->passed;
		row->granted = in_kernel->granted;
		row->entries = in_kernel->entries;
		row->exits = in_kernel->exits;
	}
}

static void session_describe(struct session *session, struct session_row *row)
{
	struct relay *relay = &session->relay;
	const ev_tstamp now = ev_now(session->env->relay.loop);
	const bool relaying = session->state == SESSION_RELAYING;

	relay_refresh(relay);
	*row = (struct session_row){
		.id = session->id,
		.client = session->client,
		.state = states[session->state].name,
		.protocol = session->protocol,
		.client_transport = relay->client.transport,
		.server_transport = relay->server.transport,
		.client_subflows = mptcp_subflows(relay->client.fd),
		.server_subflows = relaying ? mptcp_subflows(relay->server.fd) : 0,
		.up = {.tier = "-", .reason = "-"},
		.down = {.tier = "-", .reason = "-"},
		.age_s = now - session->started,
		.idle_s = now - (relaying ? relay->last_activity : session->started),
	};
	if (relaying) {
		flow_describe(relay, &relay->up, &row->up);
		flow_describe(relay, &relay->down, &row->down);
	}
	if (session->destination)
		snprintf(row->destination, sizeof(row->destination), "%s", session->destination);
}

void session_refresh_all(const struct session_env *env)
{
	for (struct session *session = env->sessions; session; session = session->next)
		relay_refresh(&session->relay);
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

size_t session_describe_all(const struct session_env *env, struct session_row *rows, size_t max)
{
	size_t count = 0;

	for (struct session *session = env->sessions; session && count < max;
	     session = session->next)
		session_describe(session, &rows[count++]);
	return count;
}

bool session_describe_one(const struct session_env *env, uint64_t id, struct session_detail *out)
{
	struct session *session = env->sessions;

	while (session && session->id != id)
		session = session->next;
	if (!session)
		return false;
	session_describe(session, &out->row);
	out->client_count = subflow_list(session->relay.client.fd, session->relay.client.transport,
					 out->client);
	out->upstream_count = 0;
	if (session->state == SESSION_RELAYING)
		out->upstream_count = subflow_list(session->relay.server.fd,
						   session->relay.server.transport, out->upstream);
	return true;
}
