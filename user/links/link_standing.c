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

static bool is_exit_port(const struct link_ground *ground, uint16_t port)
{
	for (size_t i = 0; i < ground->exit_port_count; i++)
		if (ground->exit_ports[i] == port)
			return true;
	return false;
}

/* Whether it went to the address where it began, announced with another port: the peer's kernel
 * calls it 0 like that, where nobody may join, so that an endpoint that is offered again would only
 * end what has joined. */
static bool is_settled(const struct link_ground *ground, const struct list *all,
		       const struct list *own)
{
	/* Where its first subflow went, nobody knows once that has ended: then any one's. */
	const bool began = is_port_dialled(own, 0);
	const struct list *known = began ? own : all;

	if (!is_port_dialled(known, 0) && ground->exit_port_count == 0)
		return false;
	for (size_t i = 0; i < own->count; i++) {
		const uint16_t port = address_port(&own->subflows[i].far);

		if (own->subflows[i].established && own->subflows[i].far_id == 0 &&
		    !is_port_dialled(known, port) && (began || !is_exit_port(ground, port)))
			return true;
	}
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
	bool began = false; /* the subflow that it began with is there */
	bool begun_here = false;
	bool joined_beginning = false;
	bool announces = false; /* its peer, other addresses */

	for (size_t i = 0; i < count; i++) {
		const union address *local = &subflows[i].local;
		const bool is_here = address_same_ip(local, address);

		there = there || is_here;
		began = began || subflows[i].dialled;
		if (!subflows[i].established)
			continue;
		here = here || is_here;
		joins = joins || subflows[i].by_peer;
		begun_here = begun_here || (is_here && subflows[i].dialled);
		announces = announces || subflows[i].far_id != 0;
		joined_beginning =
			joined_beginning || (subflows[i].by_peer && subflows[i].far_id == 0);
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
	if (!joins || !on_ours || is_settled(ground, all, &own))
		return;
	standing->bereft += joined_beginning && !began;
	standing->begun += begun_here && !announces;
	standing->joining += there && !here;
	if (there)
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
