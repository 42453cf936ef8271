/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rtnetlink says of this network namespace, as far as links are concerned. */
#include "net/net_view.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "net/netlink.h"

/* A dump that was overtaken by a change is begun anew so often. */
#define TRIES 5

/* Makes room for one more element and returns it, zeroed; NULL without memory. Arrays grow by
 * doubling at powers of two. */
static void *grow(void **array, size_t *count, size_t size)
{
	char *grown = *array;

	if ((*count & (*count - 1)) == 0) {
		grown = reallocarray(*array, *count ? *count * 2 : 1, size);
		if (!grown)
			return NULL;
		*array = grown;
	}
	grown += size * (*count)++;
	memset(grown, 0, size);
	return grown;
}

#define GROW(array, count) grow((void **)&(array), &(count), sizeof(*(array)))

static bool is_ours(uint32_t number)
{
	return number >= LINK_RANGE_FIRST && number <= LINK_RANGE_LAST;
}

/* False for families other than IP. */
static bool family_of(uint8_t af, enum ip_family *out)
{
	*out = af == AF_INET6 ? IP_V6 : IP_V4;
	return af == AF_INET || af == AF_INET6;
}

static uint32_t number_of(const struct nlattr *attribute)
{
	return mnl_attr_validate(attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attribute);
}

/* AF_UNSPEC if the attribute is no address of that family. */
static void address_of(const struct nlattr *attribute, int af, union address *out)
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

static int on_device(const struct nlmsghdr *header, void *context)
{
	const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
	struct net_view *view = context;
	struct net_device *device = GROW(view->devices, view->device_count);
	const struct nlattr *attribute;

	if (!device) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	device->index = message->ifi_index;
	device->up = message->ifi_flags & IFF_UP;
	device->running = device->up && message->ifi_flags & IFF_RUNNING;
	device->loopback = message->ifi_flags & IFF_LOOPBACK;
	device->no_gateway = message->ifi_flags & IFF_POINTOPOINT;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		struct rtnl_link_stats64 stats;

		if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
			strncpy(device->name, mnl_attr_get_str(attribute),
				sizeof(device->name) - 1);
		} else if (mnl_attr_get_type(attribute) == IFLA_STATS64 &&
			   mnl_attr_get_payload_len(attribute) >=
				   offsetof(struct rtnl_link_stats64, rx_errors)) {
			memcpy(&stats, mnl_attr_get_payload(attribute),
			       offsetof(struct rtnl_link_stats64, rx_errors));
			device->rx_bytes = stats.rx_bytes;
			device->tx_bytes = stats.tx_bytes;
		}
	}
	return MNL_CB_OK;
}

static int on_address(const struct nlmsghdr *header, void *context)
{
	const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
	struct net_address found = {.device = (int)message->ifa_index,
				    .bits = message->ifa_prefixlen,
				    .flags = message->ifa_flags};
	struct net_view *view = context;
	struct net_address *address;
	const struct nlattr *attribute;
	bool local = false;

	if (message->ifa_scope != RT_SCOPE_UNIVERSE)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFA_LOCAL: /* where there is a peer, IFA_ADDRESS is the peer's */
			address_of(attribute, message->ifa_family, &found.address);
			local = true;
			break;
		case IFA_ADDRESS:
			if (!local)
				address_of(attribute, message->ifa_family, &found.address);
			break;
		case IFA_FLAGS:
			found.flags = number_of(attribute);
			break;
		default:
			break;
		}
	}
	if (found.address.sa.sa_family == AF_UNSPEC)
		return MNL_CB_OK;
	address = GROW(view->addresses, view->address_count);
	if (!address) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	*address = found;
	return MNL_CB_OK;
}

/* Of a route to several next hops, the first counts. */
static void read_next_hops(const struct nlattr *hops, int af, struct net_route *route)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(hops);
	const size_t len = mnl_attr_get_payload_len(hops);
	const struct nlattr *attribute;
	int left;

	if (len < sizeof(*hop) || hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > len)
		return;
	route->device = hop->rtnh_ifindex;
	attribute = (const struct nlattr *)RTNH_DATA(hop);
	left = hop->rtnh_len - (int)sizeof(*hop);
	for (; mnl_attr_ok(attribute, left); attribute = mnl_attr_next(attribute)) {
		if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
			address_of(attribute, af, &route->gateway);
		left -= MNL_ALIGN(mnl_attr_get_len(attribute));
	}
}

static int on_route(const struct nlmsghdr *header, void *context)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	struct net_route found = {.table = message->rtm_table};
	struct net_view *view = context;
	struct net_route *route;
	const struct nlattr *attribute;

	if (message->rtm_dst_len != 0 || message->rtm_type != RTN_UNICAST ||
	    !family_of(message->rtm_family, &found.family))
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_TABLE:
			found.table = number_of(attribute);
			break;
		case RTA_OIF:
			found.device = (int)number_of(attribute);
			break;
		case RTA_PRIORITY:
			found.metric = number_of(attribute);
			break;
		case RTA_GATEWAY:
			address_of(attribute, message->rtm_family, &found.gateway);
			break;
		case RTA_MULTIPATH:
			read_next_hops(attribute, message->rtm_family, &found);
			break;
		default:
			break;
		}
	}
	found.ours = message->rtm_protocol == LINK_PROTOCOL && is_ours(found.table);
	route = GROW(view->routes, view->route_count);
	if (!route) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	*route = found;
	return MNL_CB_OK;
}

static int on_rule(const struct nlmsghdr *header, void *context)
{
	const struct fib_rule_hdr *message = mnl_nlmsg_get_payload(header);
	struct net_rule found = {.table = message->table};
	struct net_view *view = context;
	struct net_rule *rule;
	const struct nlattr *attribute;
	uint8_t protocol = 0;

	if (!family_of(message->family, &found.family))
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case FRA_SRC:
			address_of(attribute, message->family, &found.from);
			break;
		case FRA_PRIORITY:
			found.priority = number_of(attribute);
			break;
		case FRA_TABLE:
			found.table = number_of(attribute);
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
	rule = GROW(view->rules, view->rule_count);
	if (!rule) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	*rule = found;
	return MNL_CB_OK;
}

/* Everything of one kind, both families. */
static int dump(struct netlink *netlink, uint16_t type, size_t header_bytes, mnl_cb_t on_message,
		struct net_view *view)
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
		err = dump(netlink, RTM_GETLINK, sizeof(struct ifinfomsg), on_device, view);
	}
	return err;
}

static int load_once(struct net_view *view, struct netlink *netlink)
{
	int err = net_view_load_devices(view, netlink);

	view->address_count = view->route_count = view->rule_count = 0;
	if (!err)
		err = dump(netlink, RTM_GETADDR, sizeof(struct ifaddrmsg), on_address, view);
	if (!err)
		err = dump(netlink, RTM_GETROUTE, sizeof(struct rtmsg), on_route, view);
	if (!err)
		err = dump(netlink, RTM_GETRULE, sizeof(struct fib_rule_hdr), on_rule, view);
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
