/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters and rows that a worker hands to the main thread by copy. */
#ifndef HAWSER_STATS_H
#define HAWSER_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "cause.h"
#include "handshake.h"
#include "mptcp.h"

/* Of one worker since start; only that worker's thread writes. */
struct stats {
	uint64_t sessions_total;
	uint64_t sessions_active;
	uint64_t bytes_up; /* client to destination */
	uint64_t bytes_down;
	uint64_t protocols[PROTOCOL_COUNT];
	uint64_t client_transport[TRANSPORT_COUNT];
	uint64_t server_transport[TRANSPORT_COUNT];
	uint64_t ended[CAUSE_COUNT]; /* [CAUSE_NONE]: in order */
	uint64_t accept_pauses;	     /* times that accepting paused for want of fds or memory */
	uint64_t accept_errors;	     /* connections gone before accept(), as ECONNABORTED */
};

void stats_add(struct stats *sum, const struct stats *more);

/* One session as it is now. */
struct session_row {
	uint64_t id;
	union address client;
	char destination[DESTINATION_TEXT_MAX]; /* "" while unknown */
	const char *state;			/* "handshake", "relaying"… */
	enum protocol protocol;
	enum transport client_transport;
	enum transport server_transport;
	unsigned int client_subflows;
	unsigned int server_subflows;
	const char *tier_up; /* "copy", "splice", "-" before relaying */
	const char *tier_down;
	uint32_t tick_up_us; /* 0: waits for readability */
	uint32_t tick_down_us;
	uint64_t bytes_up;
	uint64_t bytes_down;
	double age_s;
	double idle_s; /* since the last byte either way */
};

#endif
