/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients of a worker that have not said yet where they want to go, or are being refused: how many
 * of one source (an IPv4 address, an IPv6 /64) and in all, and who has to make room for the next.
 */
#ifndef HAWSER_SESSION_DOORWAY_H
#define HAWSER_SESSION_DOORWAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

struct doorway_source;

/* Embedded in whoever stands there; all zero while it does not. */
struct doorway_place {
	void *owner;
	struct doorway_source *source; /* NULL: it does not stand there */
	struct doorway_place *next;    /* of the same source, in order of arrival */
	struct doorway_place **link;
};

struct doorway {
	size_t max; /* in all; of one source half as many */
	size_t count;
	struct doorway_source *sources; /* in order of arrival */
};

/* Who has to leave before a client from this address may enter: the oldest of its own source when
 * that has as many as it may, the oldest of the source that has most when all places are taken.
 * NULL: nobody. */
struct doorway_place *doorway_find_next(const struct doorway *doorway, const union address *client);

/* How many there are of that client's source. */
size_t doorway_count(const struct doorway *doorway, const union address *client);

/* 0 or -ENOMEM. The place must not move until it has left. */
int doorway_enter(struct doorway *doorway, struct doorway_place *place, const union address *client,
		  void *owner);
void doorway_leave(struct doorway *doorway, struct doorway_place *place); /* idempotent */

#endif
