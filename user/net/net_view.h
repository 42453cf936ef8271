/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rtnetlink says of this network namespace, as far as links are concerned: interfaces, their
 * addresses, default routes and our own rules. A copy; decides nothing. */
#ifndef HAWSER_NET_NET_VIEW_H
#define HAWSER_NET_NET_VIEW_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "net/way.h"

/* All that is ours carries this protocol number ("ip route", "ip rule": proto 104) and has its
 * table or its priority in these ranges; else it is somebody else's. Our rules come before those of
 * mwan3 (from 1001), which lead by a mark wherever an address belongs. */
#define LINK_PROTOCOL	    104
#define LINK_TABLE_FIRST    28000
#define LINK_TABLE_LAST	    28999
#define LINK_PRIORITY_FIRST 900
#define LINK_PRIORITY_LAST  999

struct netlink;

struct net_device {
	int index;
	char name[IF_NAMESIZE];
	bool up;      /* by the administrator */
	bool running; /* and it has a carrier */
	bool loopback;
	bool no_gateway; /* point to point: a gateway is not needed */
	bool vpn;	 /* a tunnel by its kind: what it carries leaves by another interface */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
};

struct net_address {
	int device;
	union address address;
	uint8_t bits;
	uint32_t flags; /* IFA_F_… */
};

/* One next hop of a default route. */
struct net_route {
	int device;
	enum ip_family family;
	union address gateway; /* AF_UNSPEC: none; may be of the other family */
	union address source;  /* that the route prefers; AF_UNSPEC: none */
	struct prefix from;    /* it is for these sources only (RFC 8043); no bits: for all */
	uint32_t table;
	uint32_t metric;
	uint32_t nexthop; /* the object that holds device and gateway, if they are unknown; or 0 */
	bool ours;
	bool roams; /* a routing daemon's: it may lead elsewhere the next moment */
};

/* A next-hop object (ip nexthop), or a member of a group of them. */
struct net_nexthop {
	uint32_t id;
	uint32_t member; /* of a group: the id of the object; else 0 */
	int device;
	union address gateway;
};

struct net_rule {
	enum ip_family family;
	uint32_t priority;
	uint32_t table;
	union address from; /* this address alone */
};

struct net_view {
	struct net_device *devices;
	size_t device_count;
	struct net_address *addresses;
	size_t address_count;
	struct net_route *routes;
	size_t route_count;
	struct net_nexthop *nexthops; /* while they are loaded */
	size_t nexthop_count;
	struct net_rule *rules; /* ours only */
	size_t rule_count;
	struct net_way ways[IP_FAMILIES]; /* of plain traffic */
	bool vpn[IP_FAMILIES];		  /* takes all of it: see links_obey_vpn() */
};

/* Fills view, to be freed by net_view_free() also on error. 0 or -errno. */
int net_view_load(struct net_view *view, struct netlink *netlink);

/* The interfaces alone. */
int net_view_load_devices(struct net_view *view, struct netlink *netlink);
void net_view_free(struct net_view *view);

/* NULL if there is none. */
const struct net_device *net_view_device(const struct net_view *view, const char *name);
const struct net_device *net_view_device_at(const struct net_view *view, int index);

#endif
