/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "links/way_out.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#define UNUSABLE (IFA_F_TENTATIVE | IFA_F_DADFAILED)

/* RFC 4193: fc00::/7. */
static bool is_unique_local(const union address *address)
{
	return address->sa.sa_family == AF_INET6 &&
	       (address->in6.sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
}

/* Of several addresses, one of the interface that lasts and leads out: the higher, the better. */
static int rank(const struct net_address *address, int device)
{
	return (address->device == device ? 16 : 0) + (address->flags & IFA_F_DEPRECATED ? 0 : 8) +
	       (is_unique_local(&address->address) ? 0 : 4) +
	       (address->flags & IFA_F_TEMPORARY ? 0 : 2) +
	       (address->flags & IFA_F_SECONDARY ? 0 : 1);
}

static bool is_usable(const struct net_address *address)
{
	return !(address->flags & UNUSABLE) || address->flags & IFA_F_OPTIMISTIC;
}

/* A route for some sources only may be for what was delegated to other interfaces. */
static bool may_leave_by(const struct net_address *address, int device,
			 const struct net_route *route)
{
	if (route->from.bits > 0)
		return prefix_contains(&route->from, &address->address);
	return address->device == device;
}

const struct net_address *way_out_address(const struct net_view *view, int device,
					  enum ip_family family, const struct net_route *route)
{
	const bool preferred = route->source.sa.sa_family != AF_UNSPEC;
	const struct net_address *best = NULL;

	for (size_t i = 0; i < view->address_count; i++) {
		const struct net_address *address = &view->addresses[i];

		if (address_family(&address->address) != family || !is_usable(address))
			continue;
		if (preferred && address_same_ip(&address->address, &route->source))
			return address;
		if (may_leave_by(address, device, route) &&
		    (!best || rank(address, device) > rank(best, device)))
			best = address;
	}
	return best;
}

bool way_out_is_better(const struct way_out *a, const struct way_out *b, int device)
{
	const bool main_a = a->route->table == RT_TABLE_MAIN;
	const bool main_b = b->route->table == RT_TABLE_MAIN;

	if (!a->address || !b->address)
		return a->address && !b->address;
	if (main_a != main_b)
		return main_a;
	if (a->route->metric != b->route->metric)
		return a->route->metric < b->route->metric;
	return rank(a->address, device) > rank(b->address, device);
}

bool way_out_roams(const struct net_route *route)
{
	return route->roams && route->from.bits > 0;
}

bool way_out_same_prefix(const struct prefix *a, const struct prefix *b)
{
	return a->bits == b->bits && address_same_ip(&a->base, &b->base);
}

static bool is_of_kind(const struct net_route *route, const struct way_out_kind *kind,
		       const struct net_view *view)
{
	const struct net_way *way = &view->ways[route->family];

	/* Without a way for what we send a VPN takes it, and what goes past that is a leak. */
	if (kind->from.bits > 0)
		return way->device && way_out_same_prefix(&route->from, &kind->from);
	return !kind->plain || (way->device && route->table == way->table && !way_out_roams(route));
}

struct way_out way_out_find(const struct net_view *view, int device, enum ip_family family,
			    const struct way_out_kind *kind)
{
	const struct net_route none = {.from = kind->from};
	struct way_out best = {0};

	for (size_t i = 0; i < view->route_count; i++) {
		const struct net_route *route = &view->routes[i];
		struct way_out found = {.route = route};

		if (route->ours || route->device != device || route->family != family ||
		    !is_of_kind(route, kind, view))
			continue;
		found.address = way_out_address(view, device, family, route);
		if (!best.route || way_out_is_better(&found, &best, device))
			best = found;
	}
	if (!best.route)
		best.address = way_out_address(view, device, family, &none);
	return best;
}
