/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one direction has been doing lately, and what follows: wait for readability, or look on a
 * tick. Decides; moves and waits for nothing. */
#ifndef HAWSER_RELAY_TICK_POLICY_H
#define HAWSER_RELAY_TICK_POLICY_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct tick_policy {
	ev_tstamp since;	   /* start of the window that is being measured; 0: none */
	size_t bytes;		   /* in that window */
	unsigned int bulk_windows; /* in a row */
	unsigned int ticks;	   /* since the interval was last chosen */
};

/* Both take note of n bytes moved at now and return the interval at which to look from now on, in
 * microseconds; 0: wait for readability. source and target are asked for their round-trip times, at
 * most once per window. */

/* After a wake-up by readability. */
uint32_t tick_policy_woken(struct tick_policy *policy, const struct relay_config *config, size_t n,
			   ev_tstamp now, int source, int target);

/* After a tick of interval_us. */
uint32_t tick_policy_ticked(struct tick_policy *policy, const struct relay_config *config, size_t n,
			    ev_tstamp now, int source, int target, uint32_t interval_us);

#endif
