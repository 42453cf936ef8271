/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the readers of a view's parts share. */
#ifndef HAWSER_NET_NET_VIEW_PRIVATE_H
#define HAWSER_NET_NET_VIEW_PRIVATE_H

#include "net/net_view.h"
#include "net/netlink.h"

/* False for families other than IP. */
bool net_view_family_of(uint8_t af, enum ip_family *out);

/* AF_UNSPEC if the attribute is no address of that family. */
void net_view_address_of(const struct nlattr *attribute, int af, union address *out);

/* Everything of one kind, both families. 0 or -errno. */
int net_view_dump(struct net_view *view, struct netlink *netlink, uint16_t type,
		  size_t header_bytes, mnl_cb_t on_message);

/* The default routes, each next hop by itself. */
int net_view_load_routes(struct net_view *view, struct netlink *netlink);

#endif
