/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own rules and routes, one at a time. */
#include "net/route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/netlink.h"

static uint8_t af_of(enum ip_family family)
{
	return family == IP_V6 ? AF_INET6 : AF_INET;
}

static void put_address(struct nlmsghdr *header, uint16_t type, const union address *address)
{
	if (address->sa.sa_family == AF_INET6)
		mnl_attr_put(header, type, sizeof(struct in6_addr), &address->in6.sin6_addr);
	else
		mnl_attr_put(header, type, sizeof(struct in_addr), &address->in4.sin_addr);
}

/* The gateway, also one of the other family. */
static void put_gateway(struct nlmsghdr *header, const struct net_route *route)
{
	const union address *gateway = &route->gateway;
	const bool v6 = gateway->sa.sa_family == AF_INET6;
	uint8_t via[sizeof(struct rtvia) + sizeof(struct in6_addr)] = {0};
	struct rtvia head = {.rtvia_family = gateway->sa.sa_family};
	const size_t len = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);

	if (address_family(gateway) == route->family) {
		put_address(header, RTA_GATEWAY, gateway);
		return;
	}
	memcpy(via, &head, sizeof(head));
	memcpy(via + sizeof(head),
	       v6 ? (const void *)&gateway->in6.sin6_addr : &gateway->in4.sin_addr, len);
	mnl_attr_put(header, RTA_VIA, sizeof(head) + len, via);
}

static int change_route(struct netlink *netlink, uint16_t type, uint16_t flags,
			const struct net_route *route)
{
	struct nlmsghdr *header = netlink_begin(netlink, type, flags);
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	message->rtm_family = af_of(route->family);
	message->rtm_protocol = LINK_PROTOCOL;
	message->rtm_type = RTN_UNICAST;
	message->rtm_scope = RT_SCOPE_UNIVERSE;
	mnl_attr_put_u32(header, RTA_TABLE, route->table);
	mnl_attr_put_u32(header, RTA_OIF, (uint32_t)route->device);
	if (route->gateway.sa.sa_family != AF_UNSPEC) {
		/* Whether the kernel finds the gateway's subnet or not: some providers' gateways
		 * are in none. */
		message->rtm_flags = RTNH_F_ONLINK;
		put_gateway(header, route);
	} else if (route->family == IP_V4) {
		message->rtm_scope = RT_SCOPE_LINK;
	}
	return netlink_send(netlink, NULL, NULL);
}

int route_add(struct netlink *netlink, const struct net_route *route)
{
	int err = change_route(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);

	return err == -EEXIST ? 0 : err;
}

int route_delete(struct netlink *netlink, const struct net_route *route)
{
	int err = change_route(netlink, RTM_DELROUTE, 0, route);

	return err == -ESRCH ? 0 : err;
}

static int change_rule(struct netlink *netlink, uint16_t type, uint16_t flags,
		       const struct net_rule *rule)
{
	struct nlmsghdr *header = netlink_begin(netlink, type, flags);
	struct fib_rule_hdr *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	message->family = af_of(rule->family);
	message->action = FR_ACT_TO_TBL;
	message->src_len = rule->family == IP_V6 ? 128 : 32;
	put_address(header, FRA_SRC, &rule->from);
	mnl_attr_put_u32(header, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u32(header, FRA_TABLE, rule->table);
	mnl_attr_put_u8(header, FRA_PROTOCOL, LINK_PROTOCOL);
	if (rule->table == RT_TABLE_MAIN)
		mnl_attr_put_u32(header, FRA_SUPPRESS_PREFIXLEN, 0);
	return netlink_send(netlink, NULL, NULL);
}

int link_rule_add(struct netlink *netlink, const struct net_rule *rule)
{
	int err = change_rule(netlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);

	return err == -EEXIST ? 0 : err;
}

int link_rule_delete(struct netlink *netlink, const struct net_rule *rule)
{
	int err = change_rule(netlink, RTM_DELRULE, 0, rule);

	return err == -ENOENT ? 0 : err;
}
