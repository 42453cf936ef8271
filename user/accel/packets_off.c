/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet tier, always off: takes the place of packets.c, packets_device.c and packets_orphan.c
 * in a build without BPF. */
#include "accel/packets.h"
#include "accel/packets_orphan.h"

#include <errno.h>
#include <stddef.h>

#pragma GCC diagnostic ignored "-Wunused-parameter"

static struct packets {
	struct feature_state feature;
} off = {{.name = "packets", .reason = "built without BPF"}};

struct packets *packets_open(const struct packets_options *options)
{
	return &off;
}

void packets_close(struct packets *packets)
{
}

struct packets_worker *packets_worker_to_try(struct packets *packets)
{
	return NULL;
}

void packets_set_tried(struct packets *packets, const char *fault)
{
}

int packets_run(struct packets *packets, uint8_t *frame, size_t len)
{
	return -EOPNOTSUPP;
}

const struct feature_state *packets_feature(const struct packets *packets)
{
	return &packets->feature;
}

struct packets_worker *packets_worker(struct packets *packets, unsigned int index)
{
	return NULL;
}

struct packets_orphans *packets_orphans_open(struct ev_loop *loop)
{
	return (struct packets_orphans *)&off;
}

void packets_orphans_close(struct packets_orphans *orphans)
{
}

/* Without a worker nobody calls the others. */

int packets_event_fd(const struct packets_worker *worker)
{
	return -1;
}

void packets_read_events(struct packets_worker *worker, packets_event_fn *handle)
{
}

int packets_device_to(struct packets_worker *worker, const union address *own,
		      const union address *peer, uint32_t mark, bool foreign)
{
	return -EOPNOTSUPP;
}

int packets_attend(struct packets_worker *worker, int device)
{
	return -EOPNOTSUPP;
}

int packets_enter(struct packets_worker *worker, const struct hawser_packets_pair *initial,
		  void *owner, struct hawser_packets_pair **pair)
{
	return -EOPNOTSUPP;
}

bool packets_tell_too_big(const struct packets_worker *worker,
			  const struct hawser_packets_pair *pair, unsigned int leg, uint32_t seq)
{
	return false;
}

void packets_untrack(const struct packets_worker *worker, const union address *client,
		     const union address *client_own, const union address *server_own,
		     const union address *server)
{
}

void packets_leave(struct packets_worker *worker, int slot)
{
}

void packets_tidy(struct packets_worker *worker, double idle_s, packets_event_fn *handle)
{
}
