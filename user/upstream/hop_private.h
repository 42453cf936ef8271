/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hop.c, one attempt by an exit, and hop_exchange.c, what the two say to each other, share. */
#ifndef HAWSER_UPSTREAM_HOP_PRIVATE_H
#define HAWSER_UPSTREAM_HOP_PRIVATE_H

#include <ev.h>

#include "base/write_pause.h"
#include "proto/hop_message.h"
#include "shared/exit_state.h"
#include "upstream/hop.h"

struct hop {
	struct hop_request request; /* points to the next three, if anywhere */
	struct destination destination;
	struct speed_request speed;
	union address at;
	struct exit_state *exit;
	struct destination exit_at; /* where it is dialled */
	union address known[EXIT_ADDRESSES_MAX];
	struct dial *dial; /* NULL once connected */
	int fd;
	union address peer;
	enum transport transport;
	ev_io io;
	struct write_pause pause;
	ev_timer deadline; /* of the exit's answer */
	ev_timer silence;  /* of one address, when there are others */
	double started_s;  /* of clock_monotonic_s(), as is the next */
	double asked_s;	   /* when the message was sent */
	/* Addresses that took the connection and did not answer, and the cause. */
	union address silent[EXIT_AVOIDED_MAX];
	size_t silent_count;
	enum cause silent_cause;
	bool others;  /* addresses to go on to, perhaps */
	bool avoids;  /* what the exit is known not to answer at */
	bool skipped; /* some of that */
	bool clock_corrected;
	bool accepted;
	bool first_left; /* the exit may have some of the first bytes, and have passed them on */
	bool blamed;	 /* it is who has this address that does not answer, not the exit */
	uint8_t head[HOP_HEAD_MAX];
	size_t head_len;
	size_t sent; /* of head and first bytes */
	struct hop_answers answers;
	uint8_t in[HOP_MESSAGE_MAX]; /* of one message */
	size_t in_len;
	uint64_t taken; /* bytes that were read from fd */
	hop_fn *notify;
	void *context;
};

/* Ends the hop. */
void hop_finish(struct hop *hop, enum hop_outcome outcome, enum cause cause);

/* By the exit's fault, or that of the way to it. */
void hop_fail(struct hop *hop, enum cause cause);

/* By the fault of who has this address, if not the exit's: another one is tried, if there is. */
void hop_fail_here(struct hop *hop, enum cause cause);

/* Closes the connection, if there is one, and makes the next. */
void hop_connect(struct hop *hop);

/* Of hop_exchange.c: over a connection that has just been made. Fails the hop if it must. */
void hop_exchange(struct hop *hop);

#endif
