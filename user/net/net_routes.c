/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads default routes: one next hop or several, of either family, in the route itself or in an
 * object that it names. */
#include <errno.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/net_view_private.h"

static int add_route(struct net_view *view, const struct net_route *found)
{
	return NETLINK_LIST_ADD(view->routes, view->route_count, found);
}

/* RTA_VIA: a family, and an address of it. */
static void read_via(const struct nlattr *attribute, union address *out)
{
	const uint8_t *bytes = mnl_attr_get_payload(attribute);
	const size_t len = mnl_attr_get_payload_len(attribute);
	struct rtvia via;

	if (len < sizeof(via))
		return;
	memcpy(&via, bytes, sizeof(via));
	if (via.rtvia_family == AF_INET && len == sizeof(via) + sizeof(struct in_addr))
		address_from_bytes(out, AF_INET, bytes + sizeof(via), 0);
	else if (via.rtvia_family == AF_INET6 && len == sizeof(via) + sizeof(struct in6_addr))
		address_from_bytes(out, AF_INET6, bytes + sizeof(via), 0);
}

static void read_gateway(const struct nlattr *attribute, enum ip_family family, union address *out)
{
	if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
		net_view_address_of(attribute, family == IP_V6 ? AF_INET6 : AF_INET, out);
	else if (mnl_attr_get_type(attribute) == RTA_VIA)
		read_via(attribute, out);
}

/* Each of several next hops is a route by itself. */
static int add_next_hops(struct net_view *view, const struct net_route *found,
			 const struct nlattr *hops)
{
	const char *bytes = mnl_attr_get_payload(hops);
	size_t left = mnl_attr_get_payload_len(hops);

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const struct rtnexthop *)bytes;
		struct net_route route = *found;
		const struct nlattr *attribute = (const struct nlattr *)RTNH_DATA(hop);
		size_t step;
		int inside;

		if (hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > left)
			break;
		route.device = hop->rtnh_ifindex;
		inside = hop->rtnh_len - (int)sizeof(*hop);
		for (; mnl_attr_ok(attribute, inside); attribute = mnl_attr_next(attribute)) {
			read_gateway(attribute, route.family, &route.gateway);
			inside -= MNL_ALIGN(attribute->nla_len);
		}
		if (add_route(view, &route) != MNL_CB_OK)
			return MNL_CB_ERROR;
		step = RTNH_ALIGN(hop->rtnh_len);
		if (step > left)
			break;
		bytes += step;
		left -= step;
	}
	return MNL_CB_OK;
}

static bool is_of_a_routing_daemon(uint8_t protocol)
{
	static const uint8_t known[] = {RTPROT_ZEBRA, RTPROT_BIRD, RTPROT_BABEL, RTPROT_OPENR,
					RTPROT_BGP,   RTPROT_ISIS, RTPROT_OSPF,	 RTPROT_RIP};

	return memchr(known, protocol, sizeof(known)) != NULL;
}

static int on_route(const struct nlmsghdr *header, void *context)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	struct net_route found = {.table = message->rtm_table};
	const struct nlattr *hops = NULL;
	const struct nlattr *attribute;

	if (message->rtm_dst_len != 0 || message->rtm_type != RTN_UNICAST ||
	    !net_view_family_of(message->rtm_family, &found.family))
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_TABLE:
			found.table = netlink_number(attribute);
			break;
		case RTA_OIF:
			found.device = (int)netlink_number(attribute);
			break;
		case RTA_PRIORITY:
			found.metric = netlink_number(attribute);
			break;
		case RTA_SRC:
			net_view_address_of(attribute, message->rtm_family, &found.from.base);
			found.from.bits = message->rtm_src_len;
			break;
		case RTA_PREFSRC:
			net_view_address_of(attribute, message->rtm_family, &found.source);
			break;
		case RTA_NH_ID:
			found.nexthop = netlink_number(attribute);
			break;
		case RTA_MULTIPATH:
			hops = attribute;
			break;
		default:
			read_gateway(attribute, found.family, &found.gateway);
			break;
		}
	}
	found.ours = message->rtm_protocol == LINK_PROTOCOL && found.table >= LINK_TABLE_FIRST &&
		     found.table <= LINK_TABLE_LAST;
	found.roams = is_of_a_routing_daemon(message->rtm_protocol);
	/* As a rule the kernel tells the next hops of an object, too; with
	 * net.ipv4.nexthop_compat_mode=0 it does not. */
	if (found.device || hops)
		found.nexthop = 0;
	return hops ? add_next_hops(context, &found, hops) : add_route(context, &found);
}

static int add_nexthop(struct net_view *view, const struct net_nexthop *found)
{
	return NETLINK_LIST_ADD(view->nexthops, view->nexthop_count, found);
}

static int add_members(struct net_view *view, uint32_t id, const struct nlattr *group)
{
	const size_t count = mnl_attr_get_payload_len(group) / sizeof(struct nexthop_grp);
	const struct nexthop_grp *members = mnl_attr_get_payload(group);

	for (size_t i = 0; i < count; i++)
		if (add_nexthop(view, &(struct net_nexthop){.id = id, .member = members[i].id}) !=
		    MNL_CB_OK)
			return MNL_CB_ERROR;
	return MNL_CB_OK;
}

static int on_nexthop(const struct nlmsghdr *header, void *context)
{
	const struct nhmsg *message = mnl_nlmsg_get_payload(header);
	struct net_nexthop found = {0};
	const struct nlattr *group = NULL;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case NHA_ID:
			found.id = netlink_number(attribute);
			break;
		case NHA_OIF:
			found.device = (int)netlink_number(attribute);
			break;
		case NHA_GATEWAY:
			net_view_address_of(attribute, message->nh_family, &found.gateway);
			break;
		case NHA_GROUP:
			group = attribute;
			break;
		default:
			break;
		}
	}
	return group ? add_members(context, found.id, group) : add_nexthop(context, &found);
}

/* Puts the next hops of an object in the place of the route. A group has no groups as members. */
static int resolve(struct net_view *view, struct net_route route, uint32_t id, bool is_member)
{
	int status = MNL_CB_OK;

	for (size_t i = 0; i < view->nexthop_count && status == MNL_CB_OK; i++) {
		const struct net_nexthop nexthop = view->nexthops[i];

		if (nexthop.id != id)
			continue;
		if (nexthop.member && !is_member) {
			status = resolve(view, route, nexthop.member, true);
		} else if (nexthop.device) {
			route.device = nexthop.device;
			route.gateway = nexthop.gateway;
			route.nexthop = 0;
			status = add_route(view, &route);
		}
	}
	return status;
}

int net_view_load_routes(struct net_view *view, struct netlink *netlink)
{
	size_t kept = 0;
	size_t count;
	bool objects = false;
	int err;

	view->route_count = view->nexthop_count = 0;
	err = net_view_dump(view, netlink, RTM_GETROUTE, sizeof(struct rtmsg), on_route);
	for (size_t i = 0; i < view->route_count; i++)
		objects = objects || view->routes[i].nexthop;
	if (err || !objects)
		return err;
	err = net_view_dump(view, netlink, RTM_GETNEXTHOP, sizeof(struct nhmsg), on_nexthop);
	count = view->route_count;
	for (size_t i = 0; i < count && !err; i++)
		if (view->routes[i].nexthop &&
		    resolve(view, view->routes[i], view->routes[i].nexthop, false) != MNL_CB_OK)
			err = -ENOMEM;
	for (size_t i = 0; i < view->route_count; i++)
		if (!view->routes[i].nexthop)
			view->routes[kept++] = view->routes[i];
	view->route_count = kept;
	return err;
}
