/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The events that a BPF program has for one worker. */
#ifndef HAWSER_ACCEL_EVENT_RING_H
#define HAWSER_ACCEL_EVENT_RING_H

#include <bpf/libbpf.h>
#include <stdint.h>

struct event_ring {
	struct ring_buffer *buffer; /* NULL: not open */
	int map_fd;
};

/* Has room for so many bytes at least, and is put into the program's map of rings as the worker's.
 * 0 or -errno; then it may be half open, and is to be closed. */
int event_ring_open(struct event_ring *ring, uint64_t bytes, int rings_fd, uint32_t worker,
		    ring_buffer_sample_fn on_event, void *context);

/* Also good for one that was only zeroed. */
void event_ring_close(struct event_ring *ring);

#endif
