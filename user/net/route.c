/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own rules and routes, one at a time, and what route a destination has. */
#include "net/route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

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
		put_address(header, RTA_GATEWAY, &route->gateway);
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

struct found {
	bool is_default;
	int device;
};

static int on_found(const struct nlmsghdr *header, void *context)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	struct found *found = context;
	const struct nlattr *attribute;

	found->is_default = message->rtm_dst_len == 0 && message->rtm_type == RTN_UNICAST;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		if (mnl_attr_get_type(attribute) == RTA_OIF &&
		    mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			found->device = (int)mnl_attr_get_u32(attribute);
		/* Of several next hops, the first stands for all. */
		if (mnl_attr_get_type(attribute) == RTA_MULTIPATH &&
		    mnl_attr_get_payload_len(attribute) >= sizeof(struct rtnexthop))
			found->device = ((const struct rtnexthop *)mnl_attr_get_payload(attribute))
						->rtnh_ifindex;
	}
	return MNL_CB_STOP;
}

/* Begins a question for the route to an address. */
static struct nlmsghdr *begin_question(struct netlink *netlink, const union address *to,
				       uint32_t flags)
{
	struct nlmsghdr *header = netlink_begin(netlink, RTM_GETROUTE, 0);
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	/* One message is the whole answer: whoever reads it returns MNL_CB_STOP. */
	header->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	message->rtm_family = (uint8_t)to->sa.sa_family;
	message->rtm_dst_len = to->sa.sa_family == AF_INET6 ? 128 : 32;
	message->rtm_flags = flags;
	put_address(header, RTA_DST, to);
	return header;
}

int route_find_default(struct netlink *netlink, const union address *to)
{
	struct found found = {0};
	int err;

	/* The route as it stands in its table, and with it the length of its prefix. */
	begin_question(netlink, to, RTM_F_FIB_MATCH);
	err = netlink_send(netlink, on_found, &found);
	if (err == -ENETUNREACH)
		return 0;
	if (err)
		return err;
	return found.is_default ? found.device : -EEXIST;
}

static int on_route_type(const struct nlmsghdr *header, void *context)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);

	*(unsigned char *)context = message->rtm_type;
	return MNL_CB_STOP;
}

int route_is_own(struct netlink *netlink, const union address *to)
{
	unsigned char type = RTN_UNSPEC;
	struct nlmsghdr *header;
	union address plain = *to;
	int err;

	/* connect() takes these for loopback. */
	if (address_is_any(to) || address_is_loopback(to))
		return 1;
	if (to->sa.sa_family == AF_INET6) /* and it takes v4-mapped ones for IPv4 */
		address_from_bytes(&plain, AF_INET6, &to->in6.sin6_addr, address_port(to));
	header = begin_question(netlink, &plain, 0);
	/* As connect() asks, since rules may look at it. */
	mnl_attr_put_u8(header, RTA_IP_PROTO, IPPROTO_TCP);
	mnl_attr_put_u16(header, RTA_DPORT, plain.in4.sin_port);
	if (plain.sa.sa_family == AF_INET6 && to->in6.sin6_scope_id)
		mnl_attr_put_u32(header, RTA_OIF, to->in6.sin6_scope_id);
	err = netlink_send(netlink, on_route_type, &type);
	switch (err) {
	case 0:
		break;
	case -ENETUNREACH:
	case -EHOSTUNREACH: /* a route of the type "unreachable" */
	case -EACCES:	    /* "prohibit" */
		return 0;
	default:
		return err;
	}
	switch (type) {
	case RTN_UNICAST:
		return 0;
	case RTN_UNSPEC:
		return -EPROTO;
	default:
		return 1;
	}
}
