/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rtnetlink says of this network namespace, as far as links are concerned. */
#include "net/net_view.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "net/net_view_private.h"

/* A dump that was overtaken by a change is begun anew so often. */
#define TRIES 5

static bool is_ours(uint32_t priority)
{
	return priority >= LINK_PRIORITY_FIRST && priority <= LINK_PRIORITY_LAST;
}

/* A tunnel, whoever made it; "tun" stands for all that a program holds the other end of. */
static bool is_vpn(const char *kind)
{
	static const char *const kinds[] = {"tun",	"wireguard", "amneziawg", "ovpn",
					    "ovpn-dco", "xfrm",	     "vti",	  "vti6"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

static void read_kind(const struct nlattr *info, struct net_device *device)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, info)
	{
		if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
			device->vpn = is_vpn(mnl_attr_get_str(attribute));
	}
}

static int on_device(const struct nlmsghdr *header, void *context)
{
	const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
	struct net_view *view = context;
	const bool up = message->ifi_flags & IFF_UP;
	struct net_device found = {.index = message->ifi_index,
				   .up = up,
				   .running = up && message->ifi_flags & IFF_RUNNING,
				   .loopback = message->ifi_flags & IFF_LOOPBACK,
				   .no_gateway = message->ifi_flags & IFF_POINTOPOINT};
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		struct rtnl_link_stats64 stats;

		if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
			strncpy(found.name, mnl_attr_get_str(attribute), sizeof(found.name) - 1);
		} else if (mnl_attr_get_type(attribute) == IFLA_LINKINFO) {
			read_kind(attribute, &found);
		} else if (mnl_attr_get_type(attribute) == IFLA_STATS64 &&
			   mnl_attr_get_payload_len(attribute) >=
				   offsetof(struct rtnl_link_stats64, rx_errors)) {
			memcpy(&stats, mnl_attr_get_payload(attribute),
			       offsetof(struct rtnl_link_stats64, rx_errors));
			found.rx_bytes = stats.rx_bytes;
			found.tx_bytes = stats.tx_bytes;
		}
	}
	return NETLINK_LIST_ADD(view->devices, view->device_count, &found);
}

static int on_address(const struct nlmsghdr *header, void *context)
{
	const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
	struct net_address found = {.device = (int)message->ifa_index,
				    .bits = message->ifa_prefixlen,
				    .flags = message->ifa_flags};
	struct net_view *view = context;
	const struct nlattr *attribute;
	bool local = false;

	if (message->ifa_scope != RT_SCOPE_UNIVERSE)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFA_LOCAL: /* where there is a peer, IFA_ADDRESS is the peer's */
			net_view_address_of(attribute, message->ifa_family, &found.address);
			local = true;
			break;
		case IFA_ADDRESS:
			if (!local)
				net_view_address_of(attribute, message->ifa_family, &found.address);
			break;
		case IFA_FLAGS:
			found.flags = netlink_number(attribute);
			break;
		default:
			break;
		}
	}
	if (found.address.sa.sa_family == AF_UNSPEC)
		return MNL_CB_OK;
	return NETLINK_LIST_ADD(view->addresses, view->address_count, &found);
}

static int on_rule(const struct nlmsghdr *header, void *context)
{
	const struct fib_rule_hdr *message = mnl_nlmsg_get_payload(header);
	struct net_rule found = {.table = message->table};
	struct net_view *view = context;
	const struct nlattr *attribute;
	uint8_t protocol = 0;

	if (!net_view_family_of(message->family, &found.family))
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case FRA_SRC:
			net_view_address_of(attribute, message->family, &found.from);
			break;
		case FRA_PRIORITY:
			found.priority = netlink_number(attribute);
			break;
		case FRA_TABLE:
			found.table = netlink_number(attribute);
			break;
		case FRA_PROTOCOL:
			protocol = mnl_attr_get_u8(attribute);
			break;
		default:
			break;
		}
	}
	if (protocol != LINK_PROTOCOL || !is_ours(found.priority))
		return MNL_CB_OK;
	return NETLINK_LIST_ADD(view->rules, view->rule_count, &found);
}

bool net_view_family_of(uint8_t af, enum ip_family *out)
{
	*out = af == AF_INET6 ? IP_V6 : IP_V4;
	return af == AF_INET || af == AF_INET6;
}

void net_view_address_of(const struct nlattr *attribute, int af, union address *out)
{
	const void *bytes = mnl_attr_get_payload(attribute);

	*out = (union address){0};
	if (af == AF_INET && mnl_attr_get_payload_len(attribute) == sizeof(struct in_addr)) {
		out->sa.sa_family = AF_INET;
		memcpy(&out->in4.sin_addr, bytes, sizeof(struct in_addr));
	} else if (af == AF_INET6 &&
		   mnl_attr_get_payload_len(attribute) == sizeof(struct in6_addr)) {
		out->sa.sa_family = AF_INET6;
		memcpy(&out->in6.sin6_addr, bytes, sizeof(struct in6_addr));
	}
}

int net_view_dump(struct net_view *view, struct netlink *netlink, uint16_t type,
		  size_t header_bytes, mnl_cb_t on_message)
{
	struct nlmsghdr *header = netlink_begin(netlink, type, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(header, header_bytes);
	return netlink_send(netlink, on_message, view);
}

int net_view_load_devices(struct net_view *view, struct netlink *netlink)
{
	int err = -EINTR;

	for (int tries = 0; err == -EINTR && tries < TRIES; tries++) {
		view->device_count = 0;
		err = net_view_dump(view, netlink, RTM_GETLINK, sizeof(struct ifinfomsg),
				    on_device);
	}
	return err;
}

/* Where each default route is for some sources only, as on OpenWrt, a packet has a way once it has
 * a source. */
static struct net_way find_way(const struct net_view *view, struct netlink *netlink,
			       enum ip_family family)
{
	struct net_way way = net_way_find(netlink, family, NULL);

	for (size_t i = 0; family == IP_V6 && !way.device && i < view->route_count; i++) {
		const struct net_route *route = &view->routes[i];

		for (size_t j = 0; route->from.bits > 0 && !way.device && j < view->address_count;
		     j++)
			if (prefix_contains(&route->from, &view->addresses[j].address))
				way = net_way_find(netlink, family, &view->addresses[j].address);
	}
	return way;
}

static int load_once(struct net_view *view, struct netlink *netlink)
{
	int err = net_view_load_devices(view, netlink);

	view->address_count = view->rule_count = 0;
	if (!err)
		err = net_view_dump(view, netlink, RTM_GETADDR, sizeof(struct ifaddrmsg),
				    on_address);
	if (!err)
		err = net_view_load_routes(view, netlink);
	if (!err)
		err = net_view_dump(view, netlink, RTM_GETRULE, sizeof(struct fib_rule_hdr),
				    on_rule);
	for (enum ip_family family = 0; family < IP_FAMILIES; family++)
		view->ways[family] = find_way(view, netlink, family);
	return err;
}

int net_view_load(struct net_view *view, struct netlink *netlink)
{
	int err = -EINTR;

	*view = (struct net_view){0};
	for (int tries = 0; err == -EINTR && tries < TRIES; tries++)
		err = load_once(view, netlink);
	return err;
}

void net_view_free(struct net_view *view)
{
	free(view->devices);
	free(view->addresses);
	free(view->routes);
	free(view->nexthops);
	free(view->rules);
	*view = (struct net_view){0};
}

const struct net_device *net_view_device(const struct net_view *view, const char *name)
{
	for (size_t i = 0; i < view->device_count; i++)
		if (strcmp(view->devices[i].name, name) == 0)
			return &view->devices[i];
	return NULL;
}

const struct net_device *net_view_device_at(const struct net_view *view, int index)
{
	for (size_t i = 0; i < view->device_count; i++)
		if (view->devices[i].index == index)
			return &view->devices[i];
	return NULL;
}
