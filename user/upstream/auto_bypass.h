/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Destinations that a worker found not to have MPTCP, or to have learnt it, on their way to the
 * main thread, which has the next connections to them routed around hawserd (auto-bypass). */
#ifndef HAWSER_UPSTREAM_AUTO_BYPASS_H
#define HAWSER_UPSTREAM_AUTO_BYPASS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

/* More between two looks are dropped; their next connection brings them again. */
#define DETOURS_MAX 64

struct detour {
	union address to;
	bool learnt_mptcp; /* it is to be taken again */
};

struct detours {
	struct detour list[DETOURS_MAX];
	size_t count;
};

void detour_note(struct detours *detours, const union address *to, bool learnt_mptcp);

#endif
