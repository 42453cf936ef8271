/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rule and the route that TPROXY needs, by rtnetlink. */
#include "intercept/tproxy_route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "intercept/rule_order.h"
#include "intercept/steer_mark.h"
#include "net/netlink.h"

/* Nobody's (RFC 5737, RFC 3849). */
#define SOMEWHERE4 "192.0.2.1"
#define SOMEWHERE6 "2001:db8::1"

/* priority: NULL for any. */
static int change_rule(struct netlink *netlink, int family, uint16_t type, uint16_t flags,
		       const uint32_t *priority)
{
	struct nlmsghdr *request = netlink_begin(netlink, type, flags);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(request, sizeof(*rule));

	rule->family = (uint8_t)family;
	rule->action = FR_ACT_TO_TBL;
	if (priority)
		mnl_attr_put_u32(request, FRA_PRIORITY, *priority);
	mnl_attr_put_u32(request, FRA_FWMARK, STEER_MARK);
	mnl_attr_put_u32(request, FRA_FWMASK, STEER_MARK);
	mnl_attr_put_u32(request, FRA_TABLE, STEER_TABLE);
	return netlink_send(netlink, NULL, NULL);
}

static int change_route(struct netlink *netlink, int family, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request = netlink_begin(netlink, type, flags);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(request, sizeof(*route));

	route->rtm_family = (uint8_t)family;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_HOST;
	route->rtm_type = RTN_LOCAL;
	mnl_attr_put_u32(request, RTA_TABLE, STEER_TABLE);
	mnl_attr_put_u32(request, RTA_OIF, if_nametoindex("lo"));
	return netlink_send(netlink, NULL, NULL);
}

/* The last place before those of others is ours. It is taken before the old one is left. Where one
 * of others is at 0, any place is as good, but the one that ours has may be before that. */
static int place_rule(struct netlink *netlink, int family, const struct rule_order *order)
{
	const bool stuck = order->any && order->first == 0;
	uint32_t place = STEER_PRIORITY;
	int err;

	/* With ours at 1 the next without a priority would get 0, before it; behind one at 0 it is
	 * no matter. */
	if (order->any && !stuck)
		place = order->first > 2 ? order->first - 1 : 0;
	if (order->there && (stuck || order->priority == place))
		return 0;
	err = change_rule(netlink, family, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &place);
	if (err && err != -EEXIST)
		return err;
	if (order->there)
		(void)change_rule(netlink, family, RTM_DELRULE, 0, &order->priority);
	return 0;
}

int tproxy_route_add(const struct intercept_plan *plan, int family)
{
	struct netlink *netlink = netlink_open(NETLINK_ROUTE);
	struct rule_order order;
	int err =
		netlink ? change_route(netlink, family, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE)
			: -errno;

	if (!err)
		err = rule_order_read(plan, family, &order);
	if (!err)
		err = place_rule(netlink, family, &order);
	netlink_close(netlink);
	return err;
}

int tproxy_route_is_behind(const struct intercept_plan *plan, int family, uint32_t *priority)
{
	struct rule_order order;
	const int err = rule_order_read(plan, family, &order);

	*priority = order.first;
	return err ? err : order.behind;
}

/* Whether a removal failed because there is nothing to remove; also where a family is off. */
static bool is_absent(int err)
{
	return err == -ENOENT || err == -ESRCH || err == -EAFNOSUPPORT || err == -EOPNOTSUPP;
}

int tproxy_route_remove(int family)
{
	struct netlink *netlink = netlink_open(NETLINK_ROUTE);
	int rule_err;
	int route_err;

	if (!netlink)
		return -errno;
	do {
		rule_err = change_rule(netlink, family, RTM_DELRULE, 0, NULL);
	} while (!rule_err);
	route_err = change_route(netlink, family, RTM_DELROUTE, 0);
	netlink_close(netlink);
	if (!is_absent(rule_err))
		return rule_err;
	return route_err && !is_absent(route_err) ? route_err : 0;
}

static int on_answer(const struct nlmsghdr *header, void *context)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(header);
	uint32_t table = route->rtm_table;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(*route))
	{
		if (mnl_attr_get_type(attribute) == RTA_TABLE &&
		    mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			table = mnl_attr_get_u32(attribute);
	}
	*(bool *)context = route->rtm_type == RTN_LOCAL && table == STEER_TABLE;
	return MNL_CB_STOP;
}

int tproxy_route_works(int family)
{
	struct netlink *netlink = netlink_open(NETLINK_ROUTE);
	unsigned char to[sizeof(struct in6_addr)];
	struct nlmsghdr *request;
	struct rtmsg *route;
	bool works = false;
	int err;

	if (!netlink)
		return -errno;
	request = netlink_begin(netlink, RTM_GETROUTE, 0);
	/* One message is the whole answer. */
	request->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = (uint8_t)family;
	route->rtm_flags = RTM_F_LOOKUP_TABLE;
	route->rtm_dst_len = family == AF_INET6 ? 128 : 32;
	inet_pton(family, family == AF_INET6 ? SOMEWHERE6 : SOMEWHERE4, to);
	mnl_attr_put(request, RTA_DST, route->rtm_dst_len / 8U, to);
	mnl_attr_put_u32(request, RTA_MARK, STEER_MARK);
	err = netlink_send(netlink, on_answer, &works);
	netlink_close(netlink);
	/* Without the rule there may be no route at all. */
	if (err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EACCES || err == -EINVAL)
		return 0;
	return err ? err : works;
}
