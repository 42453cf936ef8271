/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interception by BPF, which cannot go up: takes the place of steer*.c and tc_hook.c in a build
 * without BPF. */
#include "intercept/steer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "intercept/steer_maps.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

int steer_up(const struct intercept_plan *plan, char *reason, size_t size)
{
	snprintf(reason, size, "hawser was built without BPF");
	return -ENOSYS;
}

int steer_down(void)
{
	return 0;
}

bool steer_is_up(void)
{
	return false;
}

bool steer_is_on(const char *interface)
{
	return false;
}

bool steer_takes_shared(void)
{
	return true;
}

struct json_object *steer_state(void)
{
	return NULL;
}

int steer_maps_open_any(struct steer_maps *maps)
{
	memset(maps->fds, -1, sizeof(maps->fds));
	return -ENOENT;
}

void steer_maps_close(struct steer_maps *maps)
{
}

/* Without open maps nobody calls the others. */

int steer_maps_beat(const struct steer_maps *maps, bool alive)
{
	return -ENOENT;
}

int steer_maps_detour(const struct steer_maps *maps, const union address *to, uint64_t expiry_ms)
{
	return -ENOENT;
}
