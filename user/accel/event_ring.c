/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/event_ring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

/* As the kernel wants it: a power of two, in pages. */
static uint32_t ring_bytes(uint64_t least)
{
	uint64_t bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	while (bytes < least)
		bytes *= 2;
	return (uint32_t)bytes;
}

static int ring_on_event(void *context, void *data, size_t size)
{
	struct event_ring *ring = context;

	ring->read += BPF_RINGBUF_HDR_SZ + size;
	return ring->on_event(ring->context, data, size);
}

int event_ring_open(struct event_ring *ring, uint64_t bytes, int rings_fd, uint32_t worker,
		    ring_buffer_sample_fn on_event, void *context)
{
	*ring = (struct event_ring){
		.bytes = ring_bytes(bytes), .on_event = on_event, .context = context};
	ring->map_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "hawser_ring", 0, 0, ring->bytes, NULL);
	if (ring->map_fd < 0)
		return ring->map_fd;
	ring->buffer = ring_buffer__new(ring->map_fd, ring_on_event, ring, NULL);
	if (!ring->buffer)
		return -errno;
	return bpf_map_update_elem(rings_fd, &worker, &ring->map_fd, BPF_ANY) ? -errno : 0;
}

/* Where there was no room, a whole ring of events waited, all of which are read after that. So
 * there is a look after it, if there is one for each half of a ring that is read, in whatever
 * pieces: reading stops at an event that is half written. */
bool event_ring_read(struct event_ring *ring)
{
	ring_buffer__consume(ring->buffer);
	if (ring->read < ring->bytes / 2)
		return false;
	ring->read = 0;
	return true;
}

void event_ring_close(struct event_ring *ring)
{
	ring_buffer__free(ring->buffer);
	if (ring->map_fd > 0) /* libbpf keeps off the standard ones */
		close(ring->map_fd);
	*ring = (struct event_ring){0};
}
