/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters and rows that a worker hands to the main thread by copy. */
#ifndef HAWSER_SESSION_STATS_H
#define HAWSER_SESSION_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "accel/local.h"
#include "base/address.h"
#include "base/cause.h"
#include "base/histogram.h"
#include "net/mptcp.h"
#include "net/subflow.h"
#include "proto/handshake.h"
#include "proto/hop_message.h"
#include "relay/relay.h"
#include "upstream/tcp_only.h"

/* How a session's connection was made. */
enum stats_way { STATS_DIRECT, STATS_BY_EXIT, STATS_WAYS };

/* Of one worker since start; only that worker's thread writes. */
struct stats {
	uint64_t sessions_total;
	uint64_t sessions_active;
	struct relay_counters relay;
	uint64_t protocols[PROTOCOL_COUNT];
	uint64_t client_transport[TRANSPORT_COUNT];
	uint64_t server_transport[TRANSPORT_COUNT];
	uint64_t ended[CAUSE_COUNT]; /* [CAUSE_NONE]: in order */
	uint64_t accept_pauses;	     /* times that accepting paused for want of fds or memory */
	uint64_t accept_errors;	     /* connections gone before accept(), as ECONNABORTED */
	/* From when the client said where to, until there was a connection, or the first byte. */
	struct histogram connect[STATS_WAYS];
	struct histogram first_byte;
	/* As of the last time somebody asked. */
	uint64_t rounds; /* of the worker's loop: times that it woke, or looked for more to do */
	struct tcp_only_counts tcp_only;
	uint64_t bypassed_by_name; /* transparent sessions dialled as plain TCP, by bypass-domain */
	struct local_counts local; /* of ended sessions whose client could send past TCP */
};

void stats_add(struct stats *sum, const struct stats *more);
void local_counts_add(struct local_counts *sum, struct local_counts more);

/* One direction of a session as it is now. */
struct flow_row {
	const char *tier;   /* "copy", "splice", "sockmap"; "-" before relaying */
	const char *reason; /* of the tier */
	uint32_t tick_us;   /* 0: waits for readability */
	uint64_t bytes;
	uint64_t held;	  /* bytes that user space took and has not given yet */
	uint64_t packets; /* that the kernel forwarded */
	/* As in the BPF map "flows"; all 0 while the session has never been in the sockmap. */
	uint64_t redirected; /* bytes */
	uint64_t passed;     /* bytes */
	uint64_t granted;    /* bytes */
	uint64_t entries;
	uint64_t exits;
};

/* One session as it is now. */
struct session_row {
	uint64_t id;
	union address client;
	char destination[DESTINATION_TEXT_MAX]; /* "" while unknown */
	char user[USER_NAME_MAX + 1];		/* or token, by which it got in; "": none */
	char exit[HOP_EXIT_NAME_MAX + 1];	/* that carries it; "": none */
	const char *state;			/* "handshake", "relaying"… */
	enum protocol protocol;
	enum transport client_transport;
	enum transport server_transport;
	unsigned int client_subflows;
	unsigned int server_subflows;
	struct flow_row up; /* client to destination */
	struct flow_row down;
	double age_s;
	double idle_s; /* since the last byte either way */
};

/* One session with the subflows of both legs. */
struct session_detail {
	struct session_row row;
	struct subflow client[SUBFLOWS_MAX];
	size_t client_count;
	struct subflow upstream[SUBFLOWS_MAX];
	size_t upstream_count;
};

#endif
