/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a known destination to a dial: who may go where, and by which door. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/loop_clock.h"
#include "net/socket.h"
#include "session/opening.h"
#include "session/session_private.h"
#include "upstream/upstream.h"

static void session_on_dial(void *context, enum dial_event event, const struct dial_result *result)
{
	struct session *session = context;

	if (event == DIAL_CONNECTING) {
		session_enter(session, SESSION_CONNECTING);
		return;
	}
	session->opening->dial = NULL;
	if (event == DIAL_CONNECTED)
		session_connected(session, result);
	else
		session_fail(session, result->cause);
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
		len = session->opening->handshake.http.repeatable ? opening->handshake.head_len : 0;
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

struct dial_request session_dial_request(struct session_env *env, const struct config *config)
{
	return (struct dial_request){.env = {.loop = env->relay.loop,
					     .resolver = env->resolver,
					     .mptcp_blackhole = &env->mptcp_blackhole,
					     .links = &env->links,
					     .affinity = env->affinity,
					     .guests = env->guests,
					     .config = config},
				     .tcp_only = env->tcp_only,
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
	session->relay.asked_s = loop_clock_s(session->env->relay.loop);
}

void session_adopt(struct session *session, struct early_dial *early)
{
	const struct dial_result result = early->result;
	const ev_tstamp began_s = early->began_s;

	/* The exit that it leaves by is of that configuration. */
	config_put(session->config);
	session->config = early->config;
	free(early);
	descriptors_give(DESCRIPTORS_SESSION, 1);
	session_set_out(session);
	session->relay.asked_s = began_s;
	session_enter(session, SESSION_CONNECTING);
	if (!session_introduce(session)) {
		session_connected(session, &result);
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
	if (session->record)
		session_record_next(session);
	session_drop_server(session);
	session_watch_client(session);
	session_set_out(session);
	request.egress = session_egress(session);
	/* The client of a run has its loopback address. */
	request.transparent = session->protocol == PROTOCOL_TRANSPARENT && !session->from_run;
	if (session_introduce(session) || session_start_dial(session, &request))
		session_fail(session, CAUSE_RESOURCES);
}
