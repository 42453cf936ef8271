/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only user of the BPF skeleton: load, probe, pin; slots and events of the workers. Knows no
 * flow's life: that is parked.h. */
#ifndef HAWSER_ACCEL_SOCKMAP_H
#define HAWSER_ACCEL_SOCKMAP_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "hawser_sockmap.h"
#include "net/kernel.h"

#define ACCEL_BUDGET_MIN_BYTES (1U << 16)

struct accel;
struct accel_worker;

struct accel_options {
	bool off;	      /* by configuration: nothing is loaded */
	const char *pin_path; /* directory in a bpffs, made if need be; NULL: no pins */
	unsigned int workers;
	unsigned int slots;    /* of one worker; a parked direction takes one */
	uint32_t budget_bytes; /* per direction, in the kernel; at least ACCEL_BUDGET_MIN_BYTES */
	bool simulate_refusal; /* for tests: the kernel gets a program that it must refuse */
};

enum accel_feature {
	ACCEL_PROGRAM, /* the verdict program is loaded */
	ACCEL_TCP,     /* bytes go through it from one TCP socket to another */
	ACCEL_MPTCP,   /* the same with MPTCP sockets */
	ACCEL_PINS,
	ACCEL_FEATURE_COUNT
};

/* Main thread, before workers start. Whatever the kernel refuses is switched off with a reason, so
 * this fails only for want of memory: NULL. ACCEL_TCP and ACCEL_MPTCP are off until accel_probe()
 * has tried. */
struct accel *accel_open(const struct accel_options *options);

/* After the workers have stopped. Removes the pins that are still its own. accel_close(NULL) does
 * nothing. */
void accel_close(struct accel *accel);

/* For the trial: a worker to try with, NULL when the program is not loaded; and what came of it.
 * fault: NULL if it works. */
struct accel_worker *accel_worker_to_try(struct accel *accel);
void accel_set_tried(struct accel *accel, enum accel_feature feature, const char *fault);

/* Never NULL; constant once workers run. */
const struct feature_state *accel_feature(const struct accel *accel, enum accel_feature feature);

/* NULL when ACCEL_TCP is off. What follows is for that worker's thread only. */
struct accel_worker *accel_worker(struct accel *accel, unsigned int index);

/* Readable when there are events; not the caller's to close. */
int accel_event_fd(const struct accel_worker *worker);

/* Hands every waiting event to handle. An event may be older than the flow that has the slot now:
 * it says where to look, the flow's word says what is. handle may insert and remove. */
typedef void accel_event_fn(void *owner, enum hawser_event_kind kind);
void accel_read_events(struct accel_worker *worker, accel_event_fn *handle);

/* Puts a pair of connected sockets into the maps, redirecting, with a full budget; *flow stays
 * valid until accel_remove(). initial: session, direction,
 * and the source's next sequence number where it has one. Slot, or -ENOSPC (no slot), or
 * -EOPNOTSUPP (a socket of another kind, or one whose peer has shut down), or another -errno. */
int accel_insert(struct accel_worker *worker, int source, int target,
		 const struct hawser_flow *initial, void *owner, struct hawser_flow **flow);

/* Frees the slot. Both sockets must still be open, and be closed next: close() takes them out of
 * the maps, and throws away what waits in the kernel for the target. */
void accel_remove(struct accel_worker *worker, int slot, int source);

#endif
