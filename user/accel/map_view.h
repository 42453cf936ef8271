/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map of BPF_F_MMAPABLE in memory: what is written there the program sees, and the other way
 * around. */
#ifndef HAWSER_ACCEL_MAP_VIEW_H
#define HAWSER_ACCEL_MAP_VIEW_H

#include <stddef.h>

struct map_view {
	void *memory; /* NULL: not open */
	size_t bytes; /* whole pages */
};

/* map_fd need not stay open. 0 or -errno: it is not open. */
int map_view_open(struct map_view *view, int map_fd, size_t bytes);

/* Idempotent; also good for one that was only zeroed. */
void map_view_close(struct map_view *view);

#endif
