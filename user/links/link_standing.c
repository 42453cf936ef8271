/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections stand on an address. */
#include "links/link_standing.h"

struct list {
	const struct mptcp_diag_subflow *subflows;
	size_t count;
};

/* port 0: any. */
static bool is_port_dialled(const struct list *list, uint16_t port)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->subflows[i].dialled &&
		    (!port || address_port(&list->subflows[i].far) == port))
			return true;
	return false;
}

/* Whether it went to an address that was announced with a port of its own: there the kernel lets no
 * endpoint join later, so that one that is offered again would only end what has joined. */
static bool is_settled(const struct list *all, const struct list *own)
{
	/* Where its first subflow went, nobody knows once that has ended: then any one's. */
	const struct list *known = is_port_dialled(own, 0) ? own : all;

	for (size_t i = 0; is_port_dialled(known, 0) && i < own->count; i++)
		if (own->subflows[i].established && !own->subflows[i].dialled &&
		    !is_port_dialled(known, address_port(&own->subflows[i].far)))
			return true;
	return false;
}

/* Adds one connection, of which these are the subflows. */
static void add(struct link_standing *standing, const struct list *all,
		const struct mptcp_diag_subflow *subflows, size_t count,
		const struct link_ground *ground, const union address *address)
{
	const struct list own = {.subflows = subflows, .count = count};
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
	if (!joins || !on_ours || there || is_settled(all, &own))
		return;
	standing->missing++;
	standing->waiting += on_leaving && !elsewhere;
}

struct link_standing link_standing_find(const struct mptcp_diag_subflow *subflows, size_t count,
					const struct link_ground *ground,
					const union address *address)
{
	const struct list all = {.subflows = subflows, .count = count};
	struct link_standing standing = {0};

	for (size_t first = 0, end; first < count; first = end) {
		for (end = first; end < count && subflows[end].token == subflows[first].token;)
			end++;
		add(&standing, &all, &subflows[first], end - first, ground, address);
	}
	return standing;
}
