/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one worker leaves for the session that another will accept, by the ends of its connection.
 * Any thread. */
#ifndef HAWSER_SHARED_MEETING_H
#define HAWSER_SHARED_MEETING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

struct meeting;

/* drop: frees an item. NULL when out of memory. */
struct meeting *meeting_open(void (*drop)(void *item));
void meeting_close(struct meeting *meeting); /* NULL is allowed */

/* Takes the item over, whatever happens; out of memory drops it. */
void meeting_leave(struct meeting *meeting, const union address *client, const union address *to,
		   void *item, double until_s);

/* The caller's from now on. NULL: there is none. */
void *meeting_take(struct meeting *meeting, const union address *client, const union address *to);

bool meeting_has(struct meeting *meeting, const union address *client, const union address *to);

/* How many are left and not taken yet. */
size_t meeting_count(struct meeting *meeting);

/* Drops what nobody took in time. Returns how many were dropped since one was taken. */
size_t meeting_tidy(struct meeting *meeting, double now_s);

#endif
