/* SPDX-License-Identifier: GPL-2.0-or-later */
/* malloc() on a small router: what is not touched costs nothing, and what is freed goes back to the
 * system, as a burst of slow readers would else leave it with less for good. */
#ifndef HAWSER_BASE_HEAP_H
#define HAWSER_BASE_HEAP_H

#include <ev.h>
#include <stdbool.h>

/* From true to false, large allocations get pages of their own, which take memory once they are
 * written to: for tables that last. Each takes calls to the kernel, so not for what comes and goes.
 * For the whole process. */
void heap_keep_tables(bool begin);

struct heap {
	struct ev_loop *loop;
	ev_timer trim;
};

void heap_init(struct heap *heap, struct ev_loop *loop);
void heap_fini(struct heap *heap);

/* Something large may have been freed. Gives back a little later, for all that is freed until then
 * at once. */
void heap_trim_soon(struct heap *heap);

#endif
