/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map of BPF_F_MMAPABLE in memory: what is written there the program sees, and the other way
 * around. */
#ifndef HAWSER_ACCEL_MAP_VIEW_H
#define HAWSER_ACCEL_MAP_VIEW_H

#include <stddef.h>

struct map_view {
	void *memory; /* NULL: not open */
	size_t bytes; /* from there on, to the end of a page */
	size_t reached;
	size_t from; /* in the map */
	int map_fd;
};

/* All of it. map_fd need not stay open. 0 or -errno: it is not open. */
int map_view_open(struct map_view *view, int map_fd, size_t bytes);

/* Only room for the map's bytes from that one on, so that what is not used yet takes no memory of
 * the process. map_fd must stay open. 0 or -errno: it is not open. */
int map_view_reserve(struct map_view *view, int map_fd, size_t from, size_t bytes);

/* Of such a one, has the first so many bytes there. 0 or -errno. */
int map_view_reach(struct map_view *view, size_t bytes);

/* Idempotent; also good for one that was only zeroed. */
void map_view_close(struct map_view *view);

#endif
