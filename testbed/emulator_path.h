/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One direction of a link: a drop-tail queue, a wire of a certain rate that loses segments, and a
 * delay. Pure: is told the time, in ns, which never goes back. */
#ifndef EMULATOR_PATH_H
#define EMULATOR_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "emulator_packet.h"

#define PATH_NEVER UINT64_MAX

struct path_settings {
	double bits_per_s; /* 0: no limit, and no queue */
	uint64_t delay_ns;
	/* The delay wanders between delay_ns less this and delay_ns and this; at most delay_ns. */
	uint64_t jitter_ns;
	double loss; /* of segments, 0 to 1 */
	uint64_t queue_bytes;
	bool blackhole; /* swallows what comes and what is under way */
};

struct path_counters {
	uint64_t segments; /* that left it */
	uint64_t bytes;
	uint64_t dropped; /* segments that found the queue full */
	uint64_t lost;	  /* segments, on the wire */
	uint64_t swallowed;
};

/* Segments of one packet that travel together. Whoever has a train has a reference of its packet.
 */
struct path_train {
	STAILQ_ENTRY(path_train) next;
	struct packet *packet;
	uint32_t first;
	uint32_t count;
	uint64_t at_ns; /* in the queue: when it came; after the wire: when it leaves */
};

STAILQ_HEAD(path_trains, path_train);

struct path_knot {
	uint64_t at_ns;
	int64_t offset_ns;
};

/* To be read only, outside. */
struct path {
	struct path_settings settings;
	struct path_counters counters;
	struct path_trains queue;
	struct path_trains delayed;
	uint64_t queued_bytes;
	uint64_t held_bytes;
	uint64_t wire_free_ns;
	uint64_t last_leave_ns;
	/* The delay's offset goes straight from one to the other. */
	struct path_knot knots[2];
	uint64_t loss_dice;
	uint64_t jitter_dice;
};

/* The same seed and the same segments mean the same losses. */
void path_init(struct path *path, uint64_t seed);
void path_destroy(struct path *path);

/* For what comes from now on and what waits in the queue; what has left it keeps its delay. */
void path_set(struct path *path, const struct path_settings *settings, uint64_t now_ns);

/* Takes over the caller's reference. */
void path_enter(struct path *path, struct packet *packet, uint64_t now_ns);

/* Returns the next train that has arrived by now, for path_free_train(), or NULL. */
struct path_train *path_leave(struct path *path, uint64_t now_ns);
void path_free_train(struct path *path, struct path_train *train);

/* When to call path_leave() again, if nothing comes before; PATH_NEVER if it is empty. It may
 * have nothing then, as segments get lost. */
uint64_t path_next_ns(const struct path *path);

#endif
