/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockmap tier, always off: takes the place of sockmap.c in a build without BPF. */
#include "accel/sockmap.h"

#include <errno.h>
#include <stddef.h>

#pragma GCC diagnostic ignored "-Wunused-parameter"

static struct accel {
	struct feature_state features[ACCEL_FEATURE_COUNT];
} off = {{
	[ACCEL_PROGRAM] = {.name = "bpf", .reason = "built without BPF"},
	[ACCEL_TCP] = {.name = "sockmap-tcp", .reason = "built without BPF"},
	[ACCEL_MPTCP] = {.name = "sockmap-mptcp", .reason = "built without BPF"},
	[ACCEL_PINS] = {.name = "bpf-pins", .reason = "built without BPF"},
}};

struct accel *accel_open(const struct accel_options *options)
{
	return &off;
}

void accel_close(struct accel *accel)
{
}

const struct feature_state *accel_feature(const struct accel *accel, enum accel_feature feature)
{
	return &accel->features[feature];
}

struct accel_worker *accel_worker_to_try(struct accel *accel)
{
	return NULL;
}

void accel_set_tried(struct accel *accel, enum accel_feature feature, const char *fault)
{
}

struct accel_worker *accel_worker(struct accel *accel, unsigned int index)
{
	return NULL;
}

/* Without a worker nobody calls the others. */

int accel_event_fd(const struct accel_worker *worker)
{
	return -1;
}

void accel_read_events(struct accel_worker *worker, accel_event_fn *handle)
{
}

int accel_insert(struct accel_worker *worker, int source, int target,
		 const struct hawser_flow *initial, void *owner, struct hawser_flow **flow)
{
	return -EOPNOTSUPP;
}

void accel_remove(struct accel_worker *worker, int slot, int source)
{
}
