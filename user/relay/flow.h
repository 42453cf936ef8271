/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One direction of a session: source, target, what is held between them, and the tier that moves
 * it. Does no waiting: the relay says when to pump. */
#ifndef HAWSER_RELAY_FLOW_H
#define HAWSER_RELAY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "accel/sockmap_flow.h"
#include "config/config.h"
#include "net/mptcp.h"
#include "relay/io_buffers.h"
#include "relay/tick.h"
#include "relay/tick_policy.h"

struct flow;
struct local_client;

/* How bytes of one flow move. A flow's tier may change at any time: what is held is given by the
 * tier that took it. */
struct tier {
	/* Takes once, at most max bytes, from the source into flow->held. Bytes taken, 0 at the end
	 * of the stream, -EAGAIN, or another -errno of the source. Called only when nothing is
	 * held. */
	ssize_t (*take)(struct flow *flow, struct io_buffers *buffers, size_t max);
	/* Gives of flow->held to the target what it accepts. 0, or -errno of the target. */
	int (*give)(struct flow *flow, struct io_buffers *buffers);
	/* Makes what is still held outlast this wake-up. 0 or -ENOMEM. */
	int (*keep)(struct flow *flow, struct io_buffers *buffers);
	/* Lets go of what is held, given or not. */
	void (*drop)(struct flow *flow, struct io_buffers *buffers);
};

extern const struct tier tier_copy;
extern const struct tier tier_splice;

/* Bytes taken from the source that the target has not accepted yet. */
struct held {
	const struct tier *tier; /* the tier that took them */
	size_t len;
	/* tier_copy: in data at offset; owned says whether data is the flow's own malloc'ed copy or
	 * the buffers's buffer. */
	uint8_t *data;
	size_t offset;
	bool owned;
	/* tier_splice: in this pipe, borrowed from the buffers. */
	struct pipe *pipe;
};

struct flow {
	int source;
	int target;
	const struct tier *tier;
	const char *reason; /* why this tier; for output */
	struct held held;
	uint64_t bytes;	    /* taken from the source */
	uint64_t forwarded; /* of these, those that the sockets' own counts lack */
	uint64_t packets;   /* from the source, that the kernel forwarded */
	struct sockmap_flow
		*sockmap; /* the source has been in the sockmap and is read through this */
	struct tick_policy tick_policy;
	struct tick_watch tick;	 /* active: looked at on a tick, not when readable */
	unsigned int idle_ticks; /* in a row that found the target still taking nothing */
	uint32_t last_take;	 /* bytes */
	/* The source is a client that sends past TCP: it is only to be read by tier_copy, and may
	 * not enter the sockmap. NULL: it is not. Not the flow's to close. */
	struct local_client *local;
	size_t allowance; /* bytes that the next pump may take; SIZE_MAX: no limit */
	bool resting;	  /* nothing is taken: the rate of its token is used up */
	bool eof;	  /* the source has ended */
	bool finished;	  /* the target has been told, or will never be */
};

enum flow_result {
	FLOW_WAIT,  /* for the source, or, if something is held, for the target */
	FLOW_MORE,  /* a bounded number of bytes was moved; there may be more */
	FLOW_ENDED, /* the source ended and all was given */
	FLOW_SOURCE_FAILED,
	FLOW_TARGET_FAILED,
	FLOW_NO_MEMORY,
};

/* Chooses the tier from what the two sockets are. */
void flow_init(struct flow *flow, int source, enum transport source_transport, int target,
	       enum transport target_transport, enum tier_mode mode);

/* Puts bytes ahead of all that the source brings: an answer to the client, or what it sent early.
 * Copied. Call before the first pump, at most once. 0 or -ENOMEM. */
int flow_hold(struct flow *flow, const void *bytes, size_t len);

/* From the next take on. reason is kept. */
void flow_set_tier(struct flow *flow, const struct tier *tier, const char *reason);

/* The source is a client that sends past TCP from now on: splice(2) does not see its bytes. */
void flow_set_local(struct flow *flow, struct local_client *local);

/* The source has been in the sockmap: splice(2) does not see its bytes any more. */
void flow_set_sockmap(struct flow *flow, struct sockmap_flow *sockmap);

/* Moves what can be moved now, a bounded number of bytes. */
enum flow_result flow_pump(struct flow *flow, struct io_buffers *buffers, const struct tune *tune);

/* Frees what is held. The fds are not the flow's to close. */
void flow_drop(struct flow *flow, struct io_buffers *buffers);

#endif
