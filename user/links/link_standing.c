/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections stand on an address. */
#include "links/link_standing.h"

/* Adds one connection, of which these are the subflows. */
static void add(struct link_standing *standing, const struct mptcp_diag_subflow *subflows,
		size_t count, const struct link_ground *ground, const union address *address)
{
	bool there = false; /* also on its way */
	bool here = false;
	bool on_ours = false;
	bool on_leaving = false;
	bool elsewhere = false;
	bool joins = false;

	for (size_t i = 0; i < count; i++) {
		const union address *local = &subflows[i].local;
		const bool is_here = address_same_ip(local, address);

		there = there || is_here;
		if (!subflows[i].established)
			continue;
		here = here || is_here;
		joins = joins || subflows[i].by_peer;
		if (local->sa.sa_family == address->sa.sa_family &&
		    address_is_among(local, ground->ours, ground->ours_count))
			on_ours = true;
		if (address_is_among(local, ground->leaving, ground->leaving_count))
			on_leaving = true;
		else if (!is_here)
			elsewhere = true;
	}
	standing->users += there;
	standing->alone += here && !elsewhere;
	standing->stranded += joins && here && !elsewhere;
	standing->served += here && elsewhere;
	standing->missing += joins && on_ours && !there;
	standing->waiting += joins && on_ours && !there && on_leaving && !elsewhere;
}

struct link_standing link_standing_find(const struct mptcp_diag_subflow *subflows, size_t count,
					const struct link_ground *ground,
					const union address *address)
{
	struct link_standing standing = {0};

	for (size_t first = 0, end; first < count; first = end) {
		for (end = first; end < count && subflows[end].token == subflows[first].token;)
			end++;
		add(&standing, &subflows[first], end - first, ground, address);
	}
	return standing;
}
