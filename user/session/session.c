/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client's life as a state machine, from accept to close. */
#include "base/loop_clock.h"
#include "session/session_private.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/local.h"
#include "auth/gate.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "net/socket.h"
#include "net/socket_reset.h"
#include "net/way.h"
#include "proto/proxy_protocol.h"
#include "session/congestion.h"
#include "session/opening.h"
#include "session/session_http.h"
#include "shared/auth_penalty.h"
#include "shared/exit_state.h"
#include "shared/token_state.h"
#include "upstream/dial.h"
#include "upstream/upstream.h"

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static const struct {
	const char *name;
	unsigned int next; /* bits of the states that may follow; any state may end */
} states[SESSION_STATE_COUNT] = {
	[SESSION_HANDSHAKE] = {"handshake", 1U << SESSION_PEEKING | 1U << SESSION_RESOLVING |
						    1U << SESSION_EXCHANGING |
						    1U << SESSION_DELAYING |
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
	[SESSION_WAITING] = {"waiting", 1U << SESSION_HANDSHAKE},
	[SESSION_DELAYING] = {"delaying", 1U << SESSION_REFUSING},
	[SESSION_REFUSING] = {"refusing", 0},
};

/* Of all clients of one address on one worker together, for requests over OPENING_SMALL_BYTES. */
#define BIG_REQUESTS_MAX_BYTES ((size_t)1024 * 1024)

static void session_close_opening(struct session *session)
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
	opening_free(opening);
	session->opening = NULL;
}

void session_drop_server(struct session *session)
{
	struct leg *server = &session->relay.server;

	if (server->fd < 0)
		return;
	session_http_unwatch(session);
	close(server->fd);
	server->fd = -1;
	server->transport = TRANSPORT_NONE;
	if (session->exit)
		exit_state_end(session->exit);
	session->exit = NULL;
}

static void prepare_socket(const struct session *session, int fd)
{
	const struct tune *tune = &session->config->relay.tune;

	socket_prepare(fd, tune->unsent_bytes, tune->keepalive_idle_s, tune->keepalive_interval_s);
}

void session_end(struct session *session, enum cause cause)
{
	struct session_env *env = session->env;
	const int fds[] = {session->relay.client.fd, session->relay.server.fd};
	/* Whoever knows of no proxy must not take its close for the destination's. */
	const bool cut = cause != CAUSE_NONE && (session->state == SESSION_RELAYING ||
						 session->state == SESSION_EXCHANGING ||
						 session->protocol == PROTOCOL_TRANSPARENT);

	relay_refresh(&session->relay);
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

/* Of all clients of one address on one worker together, for requests over OPENING_SMALL_BYTES. */
#define BIG_REQUESTS_MAX_BYTES ((size_t)1024 * 1024)

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

static void session_on_client_hup(void *owner, bool dead)
{
	(void)dead;
	session_end(owner, CAUSE_CLIENT_GONE);
}

/* As session_refuse, for a handshake that failed. It must not be cheap to try again and again. */
static void session_refuse_handshake(struct session *session, enum cause cause,
				     const struct handshake_out *out)
{
	struct opening *opening = session->opening;
	struct session_env *env = session->env;

	if (!session_was_attempt(session, cause)) {
		session_refuse(session, cause, out);
		return;
	}
	session->cause = cause;
	opening->refusal = *out;
	ev_io_stop(env->relay.loop, &opening->io);
	hangup_add(&env->relay.hangup, &session->relay.client.hangup, session->relay.client.fd,
		   HANGUP_DEATH, session_on_client_hup, session);
	session_enter(session, SESSION_DELAYING);
	session_arm(session,
		    auth_penalty_note(env->penalty, &session->client, clock_monotonic_s()));
}

static void session_on_relay(struct relay *relay, enum relay_event event, enum cause cause)
{
	struct session *session = container_of(relay, struct session, relay);

	if (event == RELAY_ENDED)
		session_end(session, cause);
	else
		session_arm_deadline(session);
}

/* A client in the cgroup may send past TCP from now on. */
static void session_accelerate(struct session *session)
{
	struct relay *relay = &session->relay;
	struct local_client *local;

	/* It is not its socket that is at the other end of ours. */
	if (session->opening->proxied_to.sa.sa_family != AF_UNSPEC)
		return;
	local = local_client_open(session->env->local, relay->client.fd, &session->client,
				  session->opening->received, session->id);

	if (local)
		relay_set_local(relay, local);
}

/* 0 or -ENOMEM. */
static int session_limit_rate(struct session *session)
{
	if (!session->token_state || session->opening->handshake.token->rate == 0)
		return 0;
	return relay_set_rate(&session->relay, session->token_state,
			      session->opening->handshake.token->rate);
}

/* With the request to an exit, which may die and have passed it on: only what may be said twice. */
static bool session_head_goes_first(const struct session *session)
{
	return session->opening->handshake.http.repeatable;
}

/* What was held has been given to the relay. */
static void session_start_relay(struct session *session)
{
	struct relay *relay = &session->relay;

	if (session_limit_rate(session)) {
		session_end(session, CAUSE_RESOURCES);
		return;
	}
	session_accelerate(session);
	session_close_opening(session);
	/* Many at once leave much, and idle ones do not end soon. */
	heap_trim_soon(&session->env->heap);
	session_enter(session, SESSION_RELAYING);
	relay_start(relay);
}

void session_tunnel(struct session *session, const uint8_t *down, size_t len)
{
	struct relay *relay = &session->relay;
	struct opening *opening = session->opening;
	const uint64_t up_bytes = relay->flows[UP].bytes, down_bytes = relay->flows[DOWN].bytes;

	relay_prepare(relay, &session->config->relay, session->id);
	relay->flows[UP].bytes = up_bytes + opening->in_len;
	relay->flows[DOWN].bytes = down_bytes;
	relay->env->counters->bytes_up += opening->in_len;
	if (flow_hold(&relay->flows[DOWN], down, len) ||
	    flow_hold(&relay->flows[UP], opening->in, opening->in_len))
		session_end(session, CAUSE_RESOURCES);
	else
		session_start_relay(session);
}

static void session_relay(struct session *session, const struct dial_result *result)
{
	struct relay *relay = &session->relay;
	const enum transport transport = result->transport;
	const int fd = result->fd;
	union address bound = result->bound;

	relay->server.fd = fd;
	relay->server.transport = transport;
	relay->server.uncounted = (int64_t)result->taken;
	session->env->stats.server_transport[transport]++;
	session->exit = result->exit;
	if (session->exit)
		exit_state_begin(session->exit);
	else
		socket_local_address(fd, &bound);
	/* Not before it is connected: a socket that fell back then passes options on to its TCP. */
	prepare_socket(session, fd);
	congestion_choose(session->config, fd, transport);
	congestion_choose(session->config, relay->client.fd, relay->client.transport);
	if (session->protocol == PROTOCOL_HTTP) {
		session_http_connected(session,
				       result->first_sent && session_head_goes_first(session));
		return;
	}
	relay_prepare(relay, &session->config->relay, session->id);
	if (opening_hand_over(session->opening, relay, &bound, result->first_sent))
		session_end(session, CAUSE_RESOURCES);
	else
		session_start_relay(session);
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
		session_relay(session, result);
	else
		session_fail(session, result->cause);
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

/* 0 or -ENOMEM. */
static int session_start_dial(struct session *session, const struct dial_request *request)
{
	struct opening *opening = session->opening;
	/* What came with a token leaves here, or two exits that name each other would be a loop. */
	const bool by_exit =
		session->config->exit_count > 0 && !session->token_state && !session->plain;
	const uint8_t *first = NULL;
	size_t len = 0;
	int err;

	if (by_exit && session->protocol == PROTOCOL_HTTP) {
		first = opening->handshake.head;
		len = session_head_goes_first(session) ? opening->handshake.head_len : 0;
	} else if (by_exit) {
		err = opening_gather(opening, &first, &len);
		if (err)
			return err;
	}
	opening->dial = upstream_start(request, by_exit, first, len, session_on_dial, session);
	return opening->dial ? 0 : -ENOMEM;
}

/* For destinations that want to know who the client is. 0 or -ENOMEM. */
static int session_introduce(struct session *session)
{
	struct opening *opening = session->opening;
	union address to = opening->proxied_to;

	if (!config_sends_proxy(session->config, &opening->handshake.destination))
		return 0;
	if (to.sa.sa_family == AF_UNSPEC)
		socket_local_address(session->relay.client.fd, &to);
	return opening_add_proxy_header(opening, &session->client, &to);
}

static void session_name(struct session *session, const struct destination *destination)
{
	char text[DESTINATION_TEXT_MAX];
	const size_t size = strlen(destination_format(destination, text)) + 1;

	if (session->destination != session->short_destination)
		free(session->destination);
	session->destination = session->short_destination;
	if (size > sizeof(session->short_destination))
		session->destination = malloc(size);
	if (session->destination)
		memcpy(session->destination, text, size);
}

struct egress_policy session_lan_egress(const struct config *config)
{
	return (struct egress_policy){.kind = EGRESS_NOT_OWN,
				      .allow = config->own_allow,
				      .allow_count = config->own_allow_count};
}

/* Which addresses the client may be connected to. */
static struct egress_policy session_egress(const struct session *session)
{
	const struct handshake *handshake = &session->opening->handshake;
	const struct config *config = session->config;
	struct egress_policy policy = session_lan_egress(config);

	if (session->token_state)
		return (struct egress_policy){.kind = EGRESS_NOT_SPECIAL,
					      .allow = config->exit_allow,
					      .allow_count = config->exit_allow_count,
					      .token = handshake->token};
	/* The administrator chose the destination; who answers for a name may be a stranger. */
	if (session->protocol == PROTOCOL_FORWARD)
		policy.kind =
			handshake->destination.host[0] ? EGRESS_NOT_LOOPBACK : EGRESS_ANYWHERE;
	return policy;
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

struct dial_request session_dial_request(struct session_env *env, const struct config *config)
{
	return (struct dial_request){.loop = env->relay.loop,
				     .resolver = env->resolver,
				     .tcp_only = env->tcp_only,
				     .mptcp_blackhole = &env->mptcp_blackhole,
				     .links = &env->links,
				     .affinity = env->affinity,
				     .config = config,
				     .recent_dials = env->recent_dials,
				     .auto_bypass = &env->auto_bypass};
}

/* The destination is known. */
static void session_set_out(struct session *session)
{
	const struct handshake *handshake = &session->opening->handshake;

	/* Requests of one client are one session. */
	if (session->protocol != handshake->protocol)
		session->env->stats.protocols[handshake->protocol]++;
	session->protocol = handshake->protocol;
	doorway_leave(&session->env->doorway, &session->opening->place);
	session_name(session, &handshake->destination);
	session_enter(session, SESSION_RESOLVING);
}

void session_adopt(struct session *session, struct early_dial *early)
{
	const struct dial_result result = early->result;

	/* The exit that it leaves by is of that configuration. */
	config_put(session->config);
	session->config = early->config;
	free(early);
	descriptors_give(DESCRIPTORS_SESSION, 1);
	session_set_out(session);
	session_enter(session, SESSION_CONNECTING);
	if (!session_introduce(session)) {
		session_relay(session, &result);
		return;
	}
	close(result.fd);
	session_fail(session, CAUSE_RESOURCES);
}

void session_dial(struct session *session)
{
	struct dial_request request = session_dial_request(session->env, session->config);

	request.destination = &session->opening->handshake.destination;
	request.client = &session->client;
	request.plain = session->plain;
	session_drop_server(session);
	session_watch_client(session);
	session_set_out(session);
	request.egress = session_egress(session);
	/* The client of a run has its loopback address. */
	request.transparent = session->protocol == PROTOCOL_TRANSPARENT && !session->from_run;
	if (session_introduce(session) || session_start_dial(session, &request))
		session_fail(session, CAUSE_RESOURCES);
}

/* Long requests are for a few: together they must not take a small router's memory. */
static bool session_may_have_more(const struct session *session)
{
	size_t sum = 0;

	for (const struct session *other = session->env->sessions; other; other = other->next)
		if (other->opening && other->opening->in_size > OPENING_SMALL_BYTES &&
		    address_same_ip(&other->client, &session->client))
			sum += other->opening->in_size;
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

/* Who the client is, is known. */
static void session_begin(struct session *session, const struct destination *forward)
{
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
	session_begin(session, opening->forward);
}

void session_start(struct session_env *env, int fd, const union address *client,
		   const struct listen_config *listen)
{
	struct session *session = session_new(env, fd, client, listen->gate);
	struct opening *opening;

	if (!session) {
		env->stats.ended[CAUSE_RESOURCES]++;
		close(fd);
		descriptors_give(DESCRIPTORS_SESSION, 1);
		return;
	}
	prepare_socket(session, fd);
	opening = session->opening;
	opening->forward = listen->forward ? &listen->to : NULL;
	ev_io_init(&opening->io, session_on_proxy_header, fd, EV_READ);
	opening->io.data = session;
	session_arm_deadline(session);
	if (session_enter_doorway(session))
		session_end(session, CAUSE_RESOURCES);
	else if (listen->transparent)
		session_start_transparent(session);
	else if (config_accepts_proxy(session->config, client))
		ev_io_start(env->relay.loop, &opening->io);
	else
		session_begin(session, opening->forward);
}
