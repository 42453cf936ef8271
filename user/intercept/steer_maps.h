/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps of the program bpf/steer.bpf.c in force, found by way of the program: so they need no
 * pins, and whoever may can change them. Built without
 * BPF, there are never any. */
#ifndef HAWSER_INTERCEPT_STEER_MAPS_H
#define HAWSER_INTERCEPT_STEER_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

enum steer_map {
	STEER_MAP_BEAT,
	STEER_MAP_COUNTERS,
	STEER_MAP_LAN,
	STEER_MAP_DESTINATIONS,
	STEER_MAP_SOURCES,
	STEER_MAP_PORTS,
	STEER_MAP_MACS,
	STEER_MAP_AUTO_BYPASS,
	STEER_MAP_SETTINGS, /* the program's constants */
	STEER_MAP_COUNT
};

struct steer_maps {
	int fds[STEER_MAP_COUNT]; /* -1: it is not open */
};

/* Those of a program that tc_hook_find() found. 0, or -errno, and then none is open. */
int steer_maps_open(struct steer_maps *maps, int program);

/* Those in force on any interface. As before; -ENOENT: there are none. */
int steer_maps_open_any(struct steer_maps *maps);

void steer_maps_close(struct steer_maps *maps);

/* Tells the program that hawserd lives, or does not any more. 0 or -errno. */
int steer_maps_beat(const struct steer_maps *maps, bool alive);

/* Has a destination routed for so long, from now; 0: not any more. 0 or -errno. */
int steer_maps_detour(const struct steer_maps *maps, const union address *to, uint64_t expiry_ms);

#endif
