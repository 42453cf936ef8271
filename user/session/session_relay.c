/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a connection to a relay. */
#include "accel/local.h"
#include "base/loop_clock.h"
#include "net/socket.h"
#include "session/congestion.h"
#include "session/opening.h"
#include "session/session_http.h"
#include "session/session_private.h"
#include "shared/exit_state.h"

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
	/* The flows count requests as they went on, and what other origins have sent. */
	relay->client.uncounted = (int64_t)(opening->received - opening->in_len - up_bytes);
	relay->flows[UP].bytes = up_bytes + opening->in_len;
	relay->flows[DOWN].bytes = down_bytes;
	relay_count_first(relay, opening->in_len);
	if (flow_hold(&relay->flows[DOWN], down, len) ||
	    flow_hold(&relay->flows[UP], opening->in, opening->in_len))
		session_end(session, CAUSE_RESOURCES);
	else
		session_start_relay(session);
}

void session_connected(struct session *session, const struct dial_result *result)
{
	struct relay *relay = &session->relay;
	const enum transport transport = result->transport;
	const int fd = result->fd;
	union address bound = result->bound;
	struct socket_options options;

	relay->server.fd = fd;
	relay->server.transport = transport;
	relay->server.uncounted = (int64_t)result->taken;
	session->env->stats.server_transport[transport]++;
	session->exit = result->exit;
	histogram_add(&session->env->stats.connect[session->exit ? STATS_BY_EXIT : STATS_DIRECT],
		      loop_clock_s(relay->env->loop) - relay->asked_s);
	if (session->exit)
		exit_state_begin(session->exit);
	else if (bound.sa.sa_family == AF_UNSPEC)
		socket_local_address(fd, &bound);
	/* Not before it is connected: a socket that fell back then passes options on to its TCP. */
	options = config_socket_options(session->config);
	socket_options_set(fd, &options,
			   transport == TRANSPORT_TCP ? SOCKET_OPTIONS_ALL & ~SOCKET_OPTIONS_BOUND
						      : SOCKET_OPTIONS_ALL);
	congestion_choose(session->config, fd, transport);
	congestion_choose(session->config, relay->client.fd, relay->client.transport);
	if (session->protocol == PROTOCOL_HTTP) {
		relay->server.uncounted -= (int64_t)relay->flows[DOWN].bytes;
		session_record_connected(session);
		session_http_connected(session, result->first_sent);
		return;
	}
	relay_prepare(relay, &session->config->relay, session->id);
	session_record_connected(session);
	if (opening_hand_over(session->opening, relay, &bound, result->first_sent))
		session_end(session, CAUSE_RESOURCES);
	else
		session_start_relay(session);
}
