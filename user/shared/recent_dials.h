/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all workers dialled in the last seconds. It ends what no address tells: a rule of somebody
 * else, or another router, that sends our own connection to a listener of ours, which dials again.
 * Newer dials overwrite older ones, so that a loop may go round a few times before it is seen.
 * Bounded memory. Any thread. */
#ifndef HAWSER_SHARED_RECENT_DIALS_H
#define HAWSER_SHARED_RECENT_DIALS_H

#include <stdbool.h>

#include "base/address.h"

struct recent_dials;

/* NULL when out of memory. */
struct recent_dials *recent_dials_open(void);
void recent_dials_close(struct recent_dials *dials); /* NULL is allowed */

/* A dial from one address and port to another. now_s: of any steady clock. */
void recent_dials_add(struct recent_dials *dials, const union address *from,
		      const union address *to, double now_s);

/* Whether there was such a dial within the last ten seconds. */
bool recent_dials_has(struct recent_dials *dials, const union address *from,
		      const union address *to, double now_s);

#endif
