/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What dial.c, the course of a dial, dial_names.c, which addresses there are, and dial_attempt.c,
 * one connection, share. */
#ifndef HAWSER_UPSTREAM_DIAL_PRIVATE_H
#define HAWSER_UPSTREAM_DIAL_PRIVATE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "names/name_query.h"
#include "upstream/dial.h"

struct link_choice;
struct lookup;

/* One for each address, and as many by other links. */
#define ATTEMPTS_MAX ((size_t)2 * NAME_ADDRESSES_MAX * IP_FAMILIES)

struct candidates {
	union address addresses[NAME_ADDRESSES_MAX];
	size_t count;
	size_t next; /* not tried yet from here on */
	bool pending;
	struct lookup *lookup;
};

struct dial_attempt {
	struct dial *dial;
	union address address;
	union address from; /* AF_UNSPEC: unknown */
	bool mptcp;	    /* asked for */
	bool anew;	    /* plain TCP now, as it fell back */
	bool final;	    /* refused, or not to be: another link makes no difference */
	int slot;	    /* of the link that was chosen; -1: none was */
	ev_io io;
};

struct dial {
	struct dial_request request;
	enum dial_name name;
	union address source; /* to dial from; AF_UNSPEC: the kernel's choice */
	bool connecting;
	double connecting_s; /* since when */
	int turn;	     /* the family to try next, if it has addresses */
	struct candidates family[IP_FAMILIES];
	struct dial_attempt attempts[ATTEMPTS_MAX];
	size_t attempt_count;
	size_t attempts_active;
	enum cause cause;    /* of the failures so far, the one of highest rank */
	ev_timer begin;	     /* only ever fed: to start from the loop */
	ev_timer resolution; /* AAAA is waited for, A is there */
	ev_timer delay;	     /* to the next attempt */
	ev_timer patience;   /* with names, where addresses are known */
	dial_fn *notify;
	void *context;
};

/* The cause of a failure, for when all fail. */
void dial_note(struct dial *dial, enum cause cause);

/* Ends the dial, with the attempt that is connected, or NULL. */
void dial_finish(struct dial *dial, const struct dial_attempt *winner, enum transport transport);

/* Starts the next attempt that gets under way; reports failure when nothing is left to wait for. */
void dial_next(struct dial *dial);

/* There is an address to try. */
void dial_connect(struct dial *dial);

/* One less is under way. */
void dial_attempt_ended(struct dial *dial);

/* False: what there is takes turns, or is drawn by lot. */
bool dial_sticks(const struct dial *dial, const union address *to, struct affinity_asker *out);

/* Of dial_names.c: begins from the loop. */
void dial_start_names(struct dial *dial);

/* How many addresses there are. */
size_t dial_known(const struct dial *dial);
bool dial_is_resolving(const struct dial *dial);

/* Of dial_attempt.c: 0 when under way. link NULL: whose turn it is. */
int dial_attempt_start(struct dial_attempt *attempt, const struct link_choice *link);
void dial_attempt_failed(struct dial_attempt *attempt, enum cause cause);

#endif
