/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a pair of directions is chatty, so that the kernel should move its bytes, and how soon
 * again after that went wrong. Decides; moves and waits for nothing. */
#ifndef HAWSER_ACCEL_SOCKMAP_POLICY_H
#define HAWSER_ACCEL_SOCKMAP_POLICY_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/direction.h"
#include "config/tune.h"

struct sockmap_policy {
	ev_tstamp since;      /* start of the window that is being measured; 0: none */
	ev_tstamp not_before; /* no entry earlier */
	ev_tstamp entered;    /* the last entry */
	uint32_t turns;	      /* in that window */
	uint32_t backoff_ms;  /* after the next exit; 0: the shortest */
	uint64_t bytes;	      /* in that window */
	enum direction last;  /* that moved */
};

/* Takes note of n bytes that user space moved. Whether the pair is chatty now. */
bool sockmap_policy_moved(struct sockmap_policy *policy, const struct tune *tune,
			  enum direction direction, size_t n, ev_tstamp now);

/* Whether what it moves is chat so far, though it may be too little to enter. */
bool sockmap_policy_talks(const struct sockmap_policy *policy, const struct tune *tune);

/* Whether the last exit is long enough ago. */
bool sockmap_policy_may_enter(const struct sockmap_policy *policy, ev_tstamp now);

void sockmap_policy_entered(struct sockmap_policy *policy, ev_tstamp now);

/* It left, or could not enter. */
void sockmap_policy_left(struct sockmap_policy *policy, const struct tune *tune, ev_tstamp now);

#endif
