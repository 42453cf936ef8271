/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only user of the BPF skeleton: load, probe, pin; slots and events of the workers. Knows no
 * flow's life: that is sockmap_flow.h. */
#ifndef HAWSER_ACCEL_SOCKMAP_H
#define HAWSER_ACCEL_SOCKMAP_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "hawser_sockmap.h"
#include "net/kernel.h"

#define SOCKMAP_BUDGET_MIN_BYTES (1U << 16)

struct sockmap;
struct sockmap_worker;

struct sockmap_options {
	bool off;	      /* by configuration: nothing is loaded */
	const char *pin_path; /* directory in a bpffs, made if need be; NULL: no pins */
	unsigned int workers;
	unsigned int slots;    /* of one worker; a parked direction takes one */
	uint32_t budget_bytes; /* per direction, in the kernel; at least SOCKMAP_BUDGET_MIN_BYTES */
	bool simulate_refusal; /* for tests: the kernel gets a program that it must refuse */
};

enum sockmap_feature {
	SOCKMAP_PROGRAM, /* the verdict program is loaded */
	SOCKMAP_TCP,	 /* bytes go through it from one TCP socket to another */
	SOCKMAP_MPTCP,	 /* the same with MPTCP sockets */
	SOCKMAP_PINS,
	SOCKMAP_FEATURE_COUNT
};

/* Main thread, before workers start. Whatever the kernel refuses is switched off with a reason, so
 * this fails only for want of memory: NULL. SOCKMAP_TCP and SOCKMAP_MPTCP are off until
 * sockmap_probe() has tried. */
struct sockmap *sockmap_open(const struct sockmap_options *options);

/* After the workers have stopped. Removes the pins that are still its own. sockmap_close(NULL) does
 * nothing. */
void sockmap_close(struct sockmap *sockmap);

/* For the trial: a worker to try with, NULL when the program is not loaded; and what came of it.
 * fault: NULL if it works. */
struct sockmap_worker *sockmap_worker_to_try(struct sockmap *sockmap);
void sockmap_set_tried(struct sockmap *sockmap, enum sockmap_feature feature, const char *fault);

/* Never NULL; constant once workers run. */
const struct feature_state *sockmap_feature(const struct sockmap *sockmap,
					    enum sockmap_feature feature);

/* NULL when SOCKMAP_TCP is off. What follows is for that worker's thread only. */
struct sockmap_worker *sockmap_worker(struct sockmap *sockmap, unsigned int index);

/* Readable when there are events; not the caller's to close. */
int sockmap_event_fd(const struct sockmap_worker *worker);

/* Hands every waiting event to handle. An event may be older than the flow that has the slot now:
 * it says where to look, the flow's word says what is. handle may insert and remove. */
typedef void sockmap_event_fn(void *owner, enum hawser_event_kind kind);
void sockmap_read_events(struct sockmap_worker *worker, sockmap_event_fn *handle);

/* How many pairs of two slots each are taken; and hands the owner of each slot to visit, which
 * inserts and removes none. */
unsigned int sockmap_pairs(const struct sockmap_worker *worker);
typedef void sockmap_visit_fn(void *owner, void *arg);
void sockmap_each(struct sockmap_worker *worker, sockmap_visit_fn *visit, void *arg);

/* Puts a pair of connected sockets into the maps, redirecting, with a full budget; *flow stays
 * valid until sockmap_remove(). initial: session, direction,
 * and the source's next sequence number where it has one. Slot, or -ENOSPC (no slot), or
 * -EOPNOTSUPP (a socket of another kind, or one whose peer has shut down), or another -errno. */
int sockmap_insert(struct sockmap_worker *worker, int source, int target,
		   const struct hawser_flow *initial, void *owner, struct hawser_flow **flow);

/* Frees the slot. Both sockets must still be open, and be closed next: close() takes them out of
 * the maps, and throws away what waits in the kernel for the target. */
void sockmap_remove(struct sockmap_worker *worker, int slot, int source);

#endif
