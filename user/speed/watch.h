/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others move over the links that a speed test fills, and whether it is in their way. */
#ifndef HAWSER_SPEED_WATCH_H
#define HAWSER_SPEED_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/direction.h"
#include "config/link_config.h"

struct netlink;

#define SPEED_WATCH_SAMPLES 512 /* 25 s */

/* Bytes since the first look, of all watched interfaces, and of the test. */
struct speed_moved {
	double s;
	double line[DIRECTIONS];
	double own[DIRECTIONS];
};

struct speed_watch {
	struct netlink *netlink;
	int devices[LINKS_MAX];
	size_t device_count; /* 0: there is nothing to be seen */
	struct speed_moved ring[SPEED_WATCH_SAMPLES];
	size_t next;
	size_t count;
};

/* Bytes per second of one direction. The test's own headers are not known, so that of what others
 * move there are two bounds. */
struct speed_load {
	double own;
	double others_least;
	double others_most;
};

enum speed_conflict {
	SPEED_ALONE,
	SPEED_HURTS,  /* others move less than before */
	SPEED_JOINED, /* others have begun to move more */
};

/* Forgets what was seen before. */
void speed_watch_begin(struct speed_watch *watch);

/* Looks now; own: bytes that the test has moved so far. */
void speed_watch_look(struct speed_watch *watch, double now_s, const uint64_t own[DIRECTIONS]);

/* Of the last span_s; false: that long it has not been looked at. */
bool speed_watch_rate(const struct speed_watch *watch, double span_s,
		      struct speed_load out[DIRECTIONS]);

/* Whether a test in this direction stands in the way of others, who moved before[] without it.
 * Pure.
 */
enum speed_conflict speed_conflict(const struct speed_load now[DIRECTIONS],
				   const double before[DIRECTIONS], enum direction direction);

/* Whether others move again what the test took from them: now without it, and then with it. Pure.
 */
bool speed_recovered(const double now[DIRECTIONS], const struct speed_load then[DIRECTIONS]);

#endif
