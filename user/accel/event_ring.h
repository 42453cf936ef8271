/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The events that a BPF program has for one worker. */
#ifndef HAWSER_ACCEL_EVENT_RING_H
#define HAWSER_ACCEL_EVENT_RING_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

struct event_ring {
	struct ring_buffer *buffer; /* NULL: not open */
	int map_fd;
	uint32_t bytes;
	uint64_t read; /* bytes, since the reader was told to look at everything */
	ring_buffer_sample_fn on_event;
	void *context;
};

/* Has room for so many bytes at least, of which the process has twice as many mapped, and is put
 * into the program's map of rings as the worker's. It must stay where it is. 0 or -errno; then it
 * may be half open, and is to be closed. */
int event_ring_open(struct event_ring *ring, uint64_t bytes, int rings_fd, uint32_t worker,
		    ring_buffer_sample_fn on_event, void *context);

/* Hands all events that wait to on_event. Whether the reader is to look then at all that may have
 * sent one, since there may have been no room for it. */
bool event_ring_read(struct event_ring *ring);

/* Also good for one that was only zeroed. */
void event_ring_close(struct event_ring *ring);

#endif
