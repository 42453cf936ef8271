// SPDX-License-Identifier: GPL-2.0-or-later
/* Destinations that a worker found not to have MPTCP, or to have learnt it. */
#include "upstream/auto_bypass.h"

void detour_note(struct detours *detours, const union address *to, bool learnt_mptcp)
{
	if (detours->count == DETOURS_MAX)
		return;
	detours->list[detours->count++] = (struct detour){.to = *to, .learnt_mptcp = learnt_mptcp};
}
