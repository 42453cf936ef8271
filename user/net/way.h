/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the kernel would send a packet of ours (rtnetlink). Changes nothing. */
#ifndef HAWSER_NET_WAY_H
#define HAWSER_NET_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

struct netlink;

/* A prefix this short is meant for everywhere: VPNs lay two halves over a default route, and some
 * providers announce 2000::/3. */
#define NET_WAY_BITS_MAX 3

/* Where a packet without a mark leaves that we send to anywhere. */
struct net_way {
	int device; /* 0: nowhere */
	uint32_t table;
};

/* Asks for destinations of which only a default route knows. from: an IPv6 address of ours, for
 * routes that are for some sources only (RFC 8043); NULL: those for all. */
struct net_way net_way_find(struct netlink *netlink, enum ip_family family,
			    const union address *from);

/* The interface by which packets of a TCP connection with this mark leave from its one end for the
 * other. foreign: from may be an address that this host has only taken (IP_TRANSPARENT).
 * -EHOSTUNREACH: they stay on this host, or nobody gets them. Or another -errno. */
int way_device(struct netlink *netlink, const union address *to, const union address *from,
	       uint32_t mark, bool foreign);

/* Has the two functions below remember what the kernel answers by this socket (net/way_memory.h).
 * 0, or -errno: they always ask. */
int way_remember(struct netlink *netlink);

/* The interface of the default route that leads to a destination; 0 when there is no route at all.
 * -EEXIST: a more specific route, or one of another kind, leads there. */
int route_find_default(struct netlink *netlink, const union address *to);

/* Whether this host delivers to itself what its TCP sends to an address and port, by whichever
 * table and rule: own addresses, those of routes of the type local, anycast, broadcast, multicast,
 * and what connect() takes for loopback. 1 or 0; -errno when the kernel did not say. */
int route_is_own(struct netlink *netlink, const union address *to);

#endif
