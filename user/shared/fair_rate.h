/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rate that many flows share, of whichever threads: each has a share of the same size, who wants
 * less than that goes first, what some do not use the others get, and all together never get more.
 */
#ifndef HAWSER_SHARED_FAIR_RATE_H
#define HAWSER_SHARED_FAIR_RATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One flow's; all zero at first. Places in line are in bytes: who moves, moves on by so many. */
struct fair_share {
	uint64_t start;	 /* its place, of its turn or its wait */
	uint64_t end;	 /* where it will be if it takes as much as the last time */
	uint64_t finish; /* where it was after its last turn */
	size_t granted;	 /* in that */
	size_t used;
	bool waiting;
	struct fair_share *next; /* while it waits */
	struct fair_share **link;
};

struct fair_rate {
	pthread_mutex_t lock;
	double paid_s; /* until when all that was granted is paid for */
	uint64_t now;  /* place of the one whose turn was last; who comes begins there */
	struct fair_share *waiting; /* by end */
};

void fair_rate_init(struct fair_rate *fair);
void fair_rate_fini(struct fair_rate *fair); /* nobody waits any more */

/* Whether this flow may move bytes now, at rate bytes per second for all together: returns 0, with
 * *bytes for how many, which are charged at once; else for how many seconds to wait before asking
 * again, with the place in line kept. now_s is of clock_monotonic_s(). */
double fair_rate_ask(struct fair_rate *fair, struct fair_share *share, uint64_t rate, double now_s,
		     size_t *bytes);

/* It moved so many of the bytes that it was granted; the rest is given back. */
void fair_rate_settle(struct fair_rate *fair, struct fair_share *share, uint64_t rate, size_t used);

/* It waits no more; must be called before the share is gone. */
void fair_rate_leave(struct fair_rate *fair, struct fair_share *share);

#endif
