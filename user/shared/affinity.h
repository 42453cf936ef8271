/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By which of several ways a client reaches a destination: by the same one each time, while it is
 * among them, and for a time when another one comes back. Weights are kept over all pairs. Bounded
 * memory, no locks; any thread, and all come to the same. */
#ifndef HAWSER_SHARED_AFFINITY_H
#define HAWSER_SHARED_AFFINITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

struct affinity;

/* What is chosen; each has a memory of its own. */
enum affinity_choice {
	AFFINITY_EXIT,
	AFFINITY_LINK,
	AFFINITY_EXIT_ADDRESS, /* and the next, of the other family */
};

/* A client and a destination. */
struct affinity_pair {
	uint64_t hash;
	/* The same by the destination's address, where the first is by its name: it is remembered
	 * to go the same way. 0: none. */
	uint64_t alias;
};

struct affinity_way {
	uint64_t id; /* affinity_hash() of what names it */
	uint32_t weight;
};

struct affinity_asker {
	struct affinity *affinity;
	struct affinity_pair pair;
	double keep_s; /* another way is left alone for so long after the last use; 0: no memory */
	double now_s;  /* of any steady clock */
};

/* NULL when out of memory. */
struct affinity *affinity_open(void);
void affinity_close(struct affinity *affinity); /* NULL is allowed */

/* With a secret of this process, so that nobody outside knows who goes where. */
uint64_t affinity_hash(const struct affinity *affinity, const void *bytes, size_t len);

/* Ports do not count. host: "" where the destination has an address only; address may be
 * AF_UNSPEC where it has a name. */
struct affinity_pair affinity_pair(const struct affinity *affinity, const union address *client,
				   const char *host, const union address *address);

/* The index of one of ways[0..count), count > 0. */
size_t affinity_choose(const struct affinity_asker *asker, unsigned int choice,
		       const struct affinity_way *ways, size_t count);

#endif
