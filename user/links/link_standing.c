/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections stand on an address. */
#include "links/link_standing.h"

/* TCP sends what is lost again by then, by a path that works. */
#define UNHEARD_MS 300

/* Where connections are dialled. */
struct ports {
	bool any;
	uint64_t bits[(UINT16_MAX + 1) / 64];
};

struct list {
	const struct mptcp_diag_subflow *subflows;
	size_t count;
};

static void ports_add(struct ports *ports, uint16_t port)
{
	ports->any = true;
	ports->bits[port / 64] |= UINT64_C(1) << port % 64;
}

static bool ports_have(const struct ports *ports, uint16_t port)
{
	return ports->bits[port / 64] >> port % 64 & 1;
}

static struct ports ports_known(const struct list *all, const struct link_ground *ground)
{
	struct ports ports = {0};

	for (size_t i = 0; i < all->count; i++)
		if (all->subflows[i].dialled)
			ports_add(&ports, address_port(&all->subflows[i].far));
	for (size_t i = 0; i < ground->exit_port_count; i++)
		ports_add(&ports, ground->exit_ports[i]);
	return ports;
}

static const struct mptcp_diag_subflow *find_dialled(const struct list *own)
{
	for (size_t i = 0; i < own->count; i++)
		if (own->subflows[i].dialled)
			return &own->subflows[i];
	return NULL;
}

/* Whether it went to the address where it began, announced with another port: the peer's kernel
 * calls it 0 like that, where nobody may join, so that an endpoint that is offered again would only
 * end what has joined. Where its first subflow went, nobody knows once that has ended: then where
 * any one's goes. */
static bool is_settled(const struct ports *known, const struct list *own)
{
	const struct mptcp_diag_subflow *first = find_dialled(own);

	if (!first && !known->any)
		return false;
	for (size_t i = 0; i < own->count; i++) {
		const uint16_t port = address_port(&own->subflows[i].far);

		if (own->subflows[i].established && own->subflows[i].far_id == 0 &&
		    (first ? port != address_port(&first->far) : !ports_have(known, port)))
			return true;
	}
	return false;
}

/* Adds one connection, of which these are the subflows. */
static void add(struct link_standing *standing, const struct ports *known, const struct list *own,
		const struct link_ground *ground, const union address *address)
{
	const struct mptcp_diag_subflow *subflows = own->subflows;
	const bool began = find_dialled(own) != NULL; /* the subflow that it began with is there */
	bool there = false;			      /* also on its way */
	bool here = false;
	bool heard = false; /* there */
	bool on_ours = false;
	bool on_leaving = false;
	bool on_other_leaving = false;
	bool elsewhere = false;
	bool joins = false;
	bool begun_here = false;
	bool joined_beginning = false;
	bool announces = false; /* its peer, other addresses */

	for (size_t i = 0; i < own->count; i++) {
		const union address *local = &subflows[i].local;
		const bool is_here = address_same_ip(local, address);

		there = there || is_here;
		if (!subflows[i].established)
			continue;
		here = here || is_here;
		heard = heard || (is_here && subflows[i].quiet_ms < UNHEARD_MS);
		joins = joins || subflows[i].by_peer;
		begun_here = begun_here || (is_here && subflows[i].dialled);
		announces = announces || subflows[i].far_id != 0;
		joined_beginning =
			joined_beginning || (subflows[i].by_peer && subflows[i].far_id == 0);
		if (local->sa.sa_family == address->sa.sa_family &&
		    address_is_among(local, ground->ours, ground->ours_count))
			on_ours = true;
		if (address_is_among(local, ground->leaving, ground->leaving_count)) {
			on_leaving = true;
			on_other_leaving = on_other_leaving || !is_here;
		} else if (!is_here) {
			elsewhere = true;
		}
	}
	standing->users += there;
	standing->alone += here && !elsewhere;
	standing->sheltered += here && on_other_leaving && !elsewhere;
	standing->stranded += joins && here && !elsewhere;
	standing->served += here && elsewhere;
	if (!joins || !on_ours || is_settled(known, own))
		return;
	standing->bereft += joined_beginning && !began;
	standing->begun += begun_here && !announces;
	standing->joining += there && !here;
	standing->unheard += here && (elsewhere || on_other_leaving) && !heard;
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
	const struct ports known = ports_known(&all, ground);
	struct link_standing standing = {0};

	for (size_t first = 0, end; first < count; first = end) {
		for (end = first; end < count && subflows[end].token == subflows[first].token;)
			end++;
		add(&standing, &known,
		    &(struct list){.subflows = &subflows[first], .count = end - first}, ground,
		    address);
	}
	return standing;
}
