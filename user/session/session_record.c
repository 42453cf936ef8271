/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a session tells of itself when it is over: its line in the access log; and in the log, that
 * somebody did not get in. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "access_log/access_line.h"
#include "access_log/access_log.h"
#include "auth/failed_login.h"
#include "auth/users.h"
#include "base/clock.h"
#include "base/loop_clock.h"
#include "net/subflow.h"
#include "session/opening.h"
#include "session/session_private.h"

/* One way to the server that there has been. */
struct record_way {
	union address local; /* with its port, which no other has */
	char link[LINK_NAME_MAX + 1];
	uint64_t up; /* bytes, as the kernel counts what it sent and received, or forwarded */
	uint64_t down;
};

/* Of the connection to the server that there is, or was last; only while there is an access log.
 * The kernel forgets subflows that end, so they are looked at while they are there. */
struct session_record {
	union address server;
	const char *exit; /* the configuration's; NULL: none */
	const char *user; /* the same; a client of plain HTTP may name another one each time */
	enum transport transport;
	ev_tstamp since;
	uint64_t up; /* bytes of the session before it */
	uint64_t down;
	size_t way_count;
	struct record_way ways[];
};

static const struct link_choice *find_link(const struct session *session,
					   const union address *local)
{
	const struct link_choices *choices = &session->env->links.choices;
	const enum ip_family family = local->sa.sa_family == AF_INET6 ? IP_V6 : IP_V4;

	for (size_t i = 0; i < choices->count; i++)
		if (address_same_ip(&choices->links[i].sources[family], local) ||
		    address_same_ip(&choices->links[i].portal_sources[family], local))
			return &choices->links[i];
	return NULL;
}

/* NULL: it leaves by no link, or there is no memory. */
static struct record_way *add_way(struct session *session, const union address *local)
{
	struct session_record *record = session->record;
	const struct link_choice *link = find_link(session, local);
	struct record_way *way;

	if (!link || record->way_count >= SUBFLOWS_MAX)
		return NULL;
	record = realloc(record, sizeof(*record) + (record->way_count + 1) * sizeof(*way));
	if (!record)
		return NULL;
	session->record = record;
	way = &record->ways[record->way_count++];
	*way = (struct record_way){.local = *local};
	memcpy(way->link, link->name, sizeof(way->link));
	return way;
}

static struct record_way *find_way(struct session *session, const union address *local)
{
	struct session_record *record = session->record;

	for (size_t i = 0; i < record->way_count; i++)
		if (address_same_ip(&record->ways[i].local, local) &&
		    address_port(&record->ways[i].local) == address_port(local))
			return &record->ways[i];
	return add_way(session, local);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Bytes of the flow over the connection to the server, which itself counts so many. */
static uint64_t carried(const struct flow *flow, uint64_t before, uint64_t by_socket)
{
	return flow->forwarded > 0 ? flow->forwarded - before + by_socket : by_socket;
}

void session_record_look(struct session *session)
{
	const struct relay *relay = &session->relay;
	const struct leg *server = &relay->server;
	struct subflow subflows[SUBFLOWS_MAX];
	size_t count;

	if (!session->record || server->fd < 0)
		return;
	count = subflow_list(server->fd, server->transport, subflows);
	for (size_t i = 0; i < count; i++) {
		struct record_way *way = find_way(session, &subflows[i].local);

		if (!way)
			continue;
		way->up = larger(way->up, carried(&relay->flows[UP], session->record->up,
						  subflows[i].bytes_sent));
		way->down = larger(way->down, carried(&relay->flows[DOWN], session->record->down,
						      subflows[i].bytes_received));
	}
}

void session_record_connected(struct session *session)
{
	const struct relay *relay = &session->relay;
	struct session_record *record;
	socklen_t len = sizeof(record->server);

	/* Requests of plain HTTP may have gone before, and their bytes are counted. */
	for (enum direction d = UP; d < DIRECTIONS; d++)
		session->tallied[d] = relay->flows[d].bytes;
	if (!access_log_is_on(session->env->access_log))
		return;
	record = calloc(1, sizeof(*record));
	if (!record)
		return;
	free(session->record);
	session->record = record;
	record->user = session->user;
	record->transport = relay->server.transport;
	record->since = loop_clock_s(session->env->relay.loop);
	record->up = relay->flows[UP].bytes;
	record->down = relay->flows[DOWN].bytes;
	if (session->exit)
		record->exit = session_exit_name(session);
	else if (getpeername(relay->server.fd, &record->server.sa, &len))
		record->server.sa.sa_family = AF_UNSPEC;
	session_record_look(session);
}

/* Of all its ways, by link. */
static size_t sum_links(const struct session_record *record, struct access_link out[SUBFLOWS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < record->way_count; i++) {
		const struct record_way *way = &record->ways[i];
		size_t at = 0;

		while (at < count && strcmp(out[at].name, way->link) != 0)
			at++;
		if (at == count)
			out[count++] = (struct access_link){.name = way->link};
		out[at].up += way->up;
		out[at].down += way->down;
	}
	return count;
}

/* The name that got in; else the one that did not. */
static const char *user_of(const struct session *session)
{
	if (session->record)
		return session->record->user;
	return session->user || !session->opening ? session->user
						  : session->opening->handshake.login;
}

static void write_line(struct session *session, enum cause cause)
{
	const struct relay *relay = &session->relay;
	const struct session_record *record = session->record;
	struct access_link links[SUBFLOWS_MAX];
	const bool relaying = session->state == SESSION_RELAYING;
	const char *none = session->http ? "copy" : "-";
	struct access_record line = {
		.time_ms = clock_calendar_ms(),
		.session = session->id,
		.client = &session->client,
		.user = user_of(session),
		.protocol = protocol_name(session->protocol),
		.asked = session->destination,
		.links = links,
		.up = relay->flows[UP].bytes,
		.down = relay->flows[DOWN].bytes,
		.tier_up = relaying ? relay_tier(relay, &relay->flows[UP]) : none,
		.tier_down = relaying ? relay_tier(relay, &relay->flows[DOWN]) : none,
		.from = transport_name(relay->client.transport),
		.to = transport_name(record ? record->transport : TRANSPORT_NONE),
		.cause = cause_info(cause)->name,
	};
	double since = session->started;
	char text[ACCESS_LINE_MAX];

	if (record) {
		line.server = &record->server;
		line.exit = record->exit;
		line.up -= record->up;
		line.down -= record->down;
		line.link_count = sum_links(record, links);
		/* The first one's time includes how it came about. */
		if (record->up > 0)
			since = record->since;
	}
	line.duration_s = loop_clock_s(session->env->relay.loop) - since;
	access_log_put(session->env->access_log, text, access_line_format(&line, text));
}

void session_record_end(struct session *session, enum cause cause)
{
	/* Who did not get in is told of at a bounded rate. */
	const bool stranger = !session->destination && !session->told;

	if (access_log_is_on(session->env->access_log) && !stranger) {
		session_record_look(session);
		write_line(session, cause);
	}
	free(session->record);
	session->record = NULL;
}

void session_record_next(struct session *session)
{
	if (access_log_is_on(session->env->access_log)) {
		session_record_look(session);
		write_line(session, CAUSE_NONE);
	}
	*session->record = (struct session_record){
		.transport = TRANSPORT_NONE,
		.user = session->user,
		.since = loop_clock_s(session->env->relay.loop),
		.up = session->relay.flows[UP].bytes,
		.down = session->relay.flows[DOWN].bytes,
	};
}

static const char *reason_of(const struct session *session, enum cause cause)
{
	const struct handshake *handshake = &session->opening->handshake;

	if (handshake->why)
		return handshake->why;
	if (!handshake->wrong_password)
		return cause_info(cause)->text;
	return handshake->users->count == 0 ? "too many wrong passwords" : "wrong name or password";
}

void session_tell_refused(struct session *session, enum cause cause)
{
	const char *login = session->opening->handshake.login;
	char name[4 * LOGIN_TEXT_MAX + 16];

	session->told = true;
	failed_login_tell(session->relay.client.fd, &session->client,
			  access_line_quote(login, name, sizeof(name)), reason_of(session, cause));
}
