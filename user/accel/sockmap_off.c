/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockmap tier, always off: takes the place of sockmap.c in a build without BPF. */
#include "accel/sockmap.h"

#include <errno.h>
#include <stddef.h>

#pragma GCC diagnostic ignored "-Wunused-parameter"

static struct sockmap {
	struct feature_state features[SOCKMAP_FEATURE_COUNT];
} off = {{
	[SOCKMAP_PROGRAM] = {.name = "bpf", .reason = "built without BPF"},
	[SOCKMAP_TCP] = {.name = "sockmap-tcp", .reason = "built without BPF"},
	[SOCKMAP_MPTCP] = {.name = "sockmap-mptcp", .reason = "built without BPF"},
	[SOCKMAP_PINS] = {.name = "bpf-pins", .reason = "built without BPF"},
}};

struct sockmap *sockmap_open(const struct sockmap_options *options)
{
	return &off;
}

void sockmap_close(struct sockmap *sockmap)
{
}

const struct feature_state *sockmap_feature(const struct sockmap *sockmap,
					    enum sockmap_feature feature)
{
	return &sockmap->features[feature];
}

struct sockmap_worker *sockmap_worker_to_try(struct sockmap *sockmap)
{
	return NULL;
}

void sockmap_set_tried(struct sockmap *sockmap, enum sockmap_feature feature, const char *fault)
{
}

struct sockmap_worker *sockmap_worker(struct sockmap *sockmap, unsigned int index)
{
	return NULL;
}

/* Without a worker nobody calls the others. */

int sockmap_event_fd(const struct sockmap_worker *worker)
{
	return -1;
}

void sockmap_read_events(struct sockmap_worker *worker, sockmap_event_fn *handle)
{
}

unsigned int sockmap_pairs(const struct sockmap_worker *worker)
{
	return 0;
}

void sockmap_each(struct sockmap_worker *worker, sockmap_visit_fn *visit, void *arg)
{
}

int sockmap_insert(struct sockmap_worker *worker, int source, int target,
		   const struct hawser_flow *initial, void *owner, struct hawser_flow **flow)
{
	return -EOPNOTSUPP;
}

void sockmap_remove(struct sockmap_worker *worker, int slot, int source)
{
}
