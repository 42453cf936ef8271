/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which default route leads out of a link's interface, and which address goes with it. Pure. */
#ifndef HAWSER_LINKS_WAY_OUT_H
#define HAWSER_LINKS_WAY_OUT_H

#include <stdbool.h>

#include "net/net_view.h"

/* Parts of the view. Either may be missing. */
struct way_out {
	const struct net_route *route;
	const struct net_address *address;
};

/* Of which routes. */
struct way_out_kind {
	bool plain; /* those of the table that what we send is led to, and that do not roam */
	struct prefix from; /* those for this prefix, whatever else; no bits: of all */
};

/* Somebody else's default route through the device for which there is an address; that of the main
 * table and of the lowest metric first. */
struct way_out way_out_find(const struct net_view *view, int device, enum ip_family family,
			    const struct way_out_kind *kind);

/* Both have a route; device: of a. */
bool way_out_is_better(const struct way_out *a, const struct way_out *b, int device);

/* The address that goes with a route: the one that it prefers, wherever it is; else the best. */
const struct net_address *way_out_address(const struct net_view *view, int device,
					  enum ip_family family, const struct net_route *route);

/* Whether it is of a gateway's prefix in a mesh (RFC 8043): a routing daemon moves it. */
bool way_out_roams(const struct net_route *route);

bool way_out_same_prefix(const struct prefix *a, const struct prefix *b);

#endif
