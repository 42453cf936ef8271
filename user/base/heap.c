/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/heap.h"

#include <stdlib.h> /* __GLIBC__ */
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define TRIM_S 2.

/* glibc's calloc() writes zeros to what lies in its heap. musl's looks first whether it must. */
#define TABLE_BYTES   (32 * 1024)
#define DEFAULT_BYTES (128 * 1024) /* glibc's */
#define STEP_BYTES    (16 * 1024)

void heap_keep_tables(bool begin)
{
	(void)begin;
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, begin ? TABLE_BYTES : DEFAULT_BYTES);
	/* The heap grows by so much more than is needed, and calloc() fills that too. */
	mallopt(M_TOP_PAD, STEP_BYTES);
#endif
}

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
