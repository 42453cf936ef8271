/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Destinations that a worker found not to have MPTCP, or to have learnt it, on their way to the
 * main thread, which has the next connections to them routed around hawserd (auto-bypass). */
#ifndef HAWSER_UPSTREAM_AUTO_BYPASS_H
#define HAWSER_UPSTREAM_AUTO_BYPASS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

/* More between two looks are dropped; their next connection brings them again. */
#define AUTO_BYPASS_ENTRIES_MAX 64

struct auto_bypass_entry {
	union address to;
	bool learnt_mptcp; /* it is to be taken again */
};

struct auto_bypass {
	struct auto_bypass_entry list[AUTO_BYPASS_ENTRIES_MAX];
	size_t count;
};

void auto_bypass_note(struct auto_bypass *auto_bypass, const union address *to, bool learnt_mptcp);

#endif
