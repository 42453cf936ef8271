/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What malloc() keeps of freed memory goes back to the system: a burst of slow readers would else
 * leave a router with less for good. */
#ifndef HAWSER_BASE_HEAP_H
#define HAWSER_BASE_HEAP_H

#include <ev.h>

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
