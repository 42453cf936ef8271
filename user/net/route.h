/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own rules and routes, one at a time, and what route a destination has (rtnetlink). */
#ifndef HAWSER_NET_ROUTE_H
#define HAWSER_NET_ROUTE_H

#include <stdbool.h>

#include "net/net_view.h"

/* The functions return 0 or a negative errno. To add what is there, or to delete what is not, is no
 * error. */

/* A default route in one of our tables. */
int route_add(struct netlink *netlink, const struct net_route *route);
int route_delete(struct netlink *netlink, const struct net_route *route);

/* The rule of table RT_TABLE_MAIN passes over default routes there. */
int link_rule_add(struct netlink *netlink, const struct net_rule *rule);
int link_rule_delete(struct netlink *netlink, const struct net_rule *rule);

/* The interface of the default route that leads to a destination; 0 when there is no route at all.
 * -EEXIST: a more specific route, or one of another kind, leads there. */
int route_find_default(struct netlink *netlink, const union address *to);

/* Whether this host delivers to itself what its TCP sends to an address and port, by whichever
 * table and rule: own addresses, those of routes of the type local, anycast, broadcast, multicast,
 * and what connect() takes for loopback. 1 or 0; -errno when the kernel did not say. */
int route_is_own(struct netlink *netlink, const union address *to);

#endif
