/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One socket of a relay, and what its kernel counts of the two streams: what the peer has
 * acknowledged, and what was received. Waits for nothing. */
#ifndef HAWSER_RELAY_LEG_H
#define HAWSER_RELAY_LEG_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/write_pause.h"
#include "net/mptcp.h"
#include "relay/flow.h"
#include "relay/hangup.h"

struct leg {
	int fd; /* -1: none */
	enum transport transport;
	ev_io io;
	struct write_pause pause;
	struct hangup_watch hangup;
	unsigned int doubled; /* see mptcp_room_adjust() */
	bool dead;	      /* was reset or failed: what it sent may still be read */
	/* Bytes that were read from the socket and that its flow does not count, a handshake as a
	 * rule; less those that the flow counts and that did not come from the socket. */
	int64_t uncounted;
	/* When leg_progressed() looked last: */
	uint64_t acknowledged;
	bool owed; /* the peer had not acknowledged all */
};

/* Whether the peer has acknowledged everything of the flow to it, so that a reset takes nothing
 * away. True of a dead one. */
bool leg_drained(const struct leg *leg, const struct flow *to);

/* At the end of the flow from it: whether the kernel received more than could be read. */
bool leg_lost_bytes(const struct leg *leg, const struct flow *from);

/* Whether, since the last call, the peer has acknowledged anything that it had been owed for some
 * time. */
bool leg_progressed(struct leg *leg, const struct flow *to);

#endif
