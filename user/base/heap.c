/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What malloc() keeps of freed memory goes back to the system. */
#include "base/heap.h"

#include <stdlib.h> /* __GLIBC__ */
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define TRIM_S 2.

static void heap_on_trim(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void heap_init(struct heap *heap, struct ev_loop *loop)
{
	heap->loop = loop;
	ev_timer_init(&heap->trim, heap_on_trim, TRIM_S, 0.);
}

void heap_fini(struct heap *heap)
{
	ev_timer_stop(heap->loop, &heap->trim);
}

void heap_trim_soon(struct heap *heap)
{
	if (ev_is_active(&heap->trim))
		return;
	ev_timer_set(&heap->trim, TRIM_S, 0.);
	ev_timer_start(heap->loop, &heap->trim);
}
