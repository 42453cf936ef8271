/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own rules and routes, one at a time (rtnetlink). */
#ifndef HAWSER_NET_ROUTE_H
#define HAWSER_NET_ROUTE_H

#include "net/net_view.h"

/* The functions return 0 or a negative errno. To add what is there, or to delete what is not, is no
 * error. */

/* A default route in one of our tables. */
int route_add(struct netlink *netlink, const struct net_route *route);
int route_delete(struct netlink *netlink, const struct net_route *route);

/* The rule of table RT_TABLE_MAIN passes over default routes there. */
int link_rule_add(struct netlink *netlink, const struct net_rule *rule);
int link_rule_delete(struct netlink *netlink, const struct net_rule *rule);

#endif
