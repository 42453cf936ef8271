/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Destinations that a worker found not to have MPTCP, or to have learnt it. */
#include "upstream/auto_bypass.h"

void auto_bypass_note(struct auto_bypass *auto_bypass, const union address *to, bool learnt_mptcp)
{
	if (auto_bypass->count == AUTO_BYPASS_ENTRIES_MAX)
		return;
	auto_bypass->list[auto_bypass->count++] =
		(struct auto_bypass_entry){.to = *to, .learnt_mptcp = learnt_mptcp};
}
