/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair of flows between two sockets: when each is pumped, half-close, reset. Knows no protocol
 * and no deadline. */
#ifndef HAWSER_RELAY_RELAY_H
#define HAWSER_RELAY_RELAY_H

#include <ev.h>
#include <stdbool.h>

#include "accel/packets_pair.h"
#include "accel/sockmap_pair.h"
#include "accel/sockmap_policy.h"
#include "accel/sockmap_trial.h"
#include "base/cause.h"
#include "base/direction.h"
#include "base/poller.h"
#include "relay/flow.h"
#include "relay/hangup.h"
#include "relay/leg.h"

/* Who has moved bytes: the tiers, as users see them. */
enum relay_mover {
	MOVER_COPY,
	MOVER_SPLICE,
	MOVER_SOCKMAP,
	MOVER_PACKETS,
	MOVER_LOCAL,
	RELAY_MOVERS
};

struct relay_counters {
	/* By mover, and by the transports of client and server. */
	uint64_t bytes[DIRECTIONS][RELAY_MOVERS][TRANSPORT_COUNT][TRANSPORT_COUNT];
	uint64_t sockmap_entries; /* times that a pair entered it */
	uint64_t sockmap_trials;  /* that ended */
	uint64_t sockmap_trials_won;
	uint64_t sockmap_refused; /* times that the kernel did not take one, or for want of slots */
	uint64_t packets_taken;	  /* times that the kernel began to forward a pair's packets */
	uint64_t packets_refused; /* pairs that cannot be */
};

/* What a worker provides to all its relays. */
struct relay_env {
	struct ev_loop *loop;
	struct io_buffers buffers;
	struct hangup hangup;
	struct ticker ticker;
	struct poller poller;
	struct sockmap_worker *sockmap; /* NULL: no sockmap */
	bool sockmap_mptcp;		/* it takes MPTCP sockets too */
	struct sockmap_trial trial;	/* whether chatty pairs are better off in it */
	struct ev_timer trial_timer;
	uint64_t chat_bytes;		/* that chatty pairs have moved, with and without it */
	struct packets_worker *packets; /* NULL: no packets are forwarded */
	bool packets_allowed;		/* by the newest configuration */
	struct relay_counters *counters;
	struct histogram *first_byte; /* from asked_s to what the destination says first */
	/* Called each time that a relay with MPTCP has moved bytes. */
	void (*mptcp_moved)(void *arg);
	void *mptcp_moved_arg;
};

enum relay_event {
	RELAY_HALF_CLOSED, /* one direction has ended; deadlines may change */
	RELAY_ENDED,	   /* the last one; nothing is watched any more, the fds are still open */
};

struct token_state;
struct relay;

/* cause: why it ended; CAUSE_NONE when both streams ended in order. */
typedef void relay_notify_fn(struct relay *relay, enum relay_event event, enum cause cause);

struct relay {
	struct relay_env *env;
	struct leg client;
	struct leg server;
	struct flow flows[DIRECTIONS];
	enum cause end; /* set: nothing more is taken, and it ends by resets */
	const struct relay_config *config;
	uint64_t session; /* its number, for output */
	struct sockmap_policy policy;
	struct sockmap_pair *pair; /* NULL until the pair enters the sockmap for the first time */
	bool wants_kernel;	   /* enter when nothing is held */
	bool unfit;		   /* never enter the sockmap */
	unsigned int reads; /* that brought bytes, up to those after which that is worth it */
	struct packets_pair *packets; /* NULL until the pair's packets are learnt */
	bool forwarded;		      /* the kernel forwards them */
	bool forwarded_last;	      /* it did until both streams ended, or a reset; for output */
	const char *not_forwarded;    /* why not, for good; NULL: they may be. A literal */
	bool was_half_closed;
	struct relay_rate *rate; /* NULL: no limit */
	struct poll_watch drain; /* active: what is to come before the end has no event */
	ev_tstamp last_activity; /* at either end */
	ev_tstamp asked_s;	 /* when the client said where to; 0: the first byte has come */
	relay_notify_fn *notify;
};

/* Once for a worker, before its relays. */
void relay_trial_init(struct relay_env *env);

/* A relay without sockets; the caller fills in the legs' fd and transport. */
void relay_init(struct relay *relay, struct relay_env *env, relay_notify_fn *notify);

/* Makes the two flows; then flow_hold() may put bytes first, then relay_start(). config outlives
 * the relay; session is its number, for output. */
void relay_prepare(struct relay *relay, const struct relay_config *config, uint64_t session);

/* The client sends past TCP from now on: its bytes are read by recv(2) only. Between
 * relay_prepare() and relay_start(). local outlives the relay's moving. */
void relay_set_local(struct relay *relay, struct local_client *local);

/* All sessions of the account together move at most so many bytes per second each way. Between
 * relay_prepare() and relay_start(). The account outlives the relay. 0 or -ENOMEM. */
int relay_set_rate(struct relay *relay, struct token_state *token_state, uint64_t bytes_per_s);

/* Starts to move; may notify before it returns, and notify may free the relay at RELAY_ENDED. */
void relay_start(struct relay *relay);

/* Stops every watcher of both legs and frees what is held; leaves the fds to the caller.
 * Idempotent, and good for a relay that never started. */
void relay_stop(struct relay *relay);

/* Counts what the kernel moved since the last time: flows' bytes, statistics, last_activity. */
void relay_refresh(struct relay *relay);

/* The same, and what the peers have acknowledged: a slow reader lives, too. */
void relay_look(struct relay *relay);

/* Adds bytes of the flow to the worker's statistics, and notes that something moved. */
void relay_count(struct relay *relay, const struct flow *flow, enum relay_mover mover,
		 uint64_t bytes);

/* The same for what a client said before there was a relay. */
void relay_count_first(struct relay *relay, size_t bytes);

/* Bytes of this direction. */
uint64_t relay_counters_sum(const struct relay_counters *counters, enum direction direction);

/* "copy", "splice", "sockmap", "local"; for output, stable. */
const char *relay_mover_name(enum relay_mover mover);

/* Has it come back from the kernel that forwards its packets, as soon as nothing is on its way. */
void relay_recall(struct relay *relay);

/* For --torture: changes a tier or a tick, as dice says. */
void relay_shake(struct relay *relay, unsigned int dice);

/* How a flow's bytes are moved now, and why; for output. */
const char *relay_tier(const struct relay *relay, const struct flow *flow);
const char *relay_reason(const struct relay *relay, const struct flow *flow);

/* Whether one direction or more has ended, in order or not. */
bool relay_half_closed(const struct relay *relay);

#endif
