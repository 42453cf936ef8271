/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rtnetlink says of an interface that is a bridge. Not by sysfs: that is of the network
 * namespace which mounted it. */
#include "net/bridge.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "net/netlink.h"

static bool is_set(const struct nlattr *attribute)
{
	return mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0 && mnl_attr_get_u8(attribute);
}

static int on_data(const struct nlattr *attribute, void *context)
{
	struct net_bridge *out = context;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_BR_NF_CALL_IPTABLES:
		out->nf_call[IP_V4] = is_set(attribute);
		break;
	case IFLA_BR_NF_CALL_IP6TABLES:
		out->nf_call[IP_V6] = is_set(attribute);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int on_info(const struct nlattr *attribute, void *context)
{
	struct net_bridge *out = context;

	/* The kind comes before its data. */
	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
		out->is_bridge = mnl_attr_validate(attribute, MNL_TYPE_STRING) >= 0 &&
				 strcmp(mnl_attr_get_str(attribute), "bridge") == 0;
	else if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA && out->is_bridge)
		return mnl_attr_parse_nested(attribute, on_data, out);
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *header, void *context)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
			mnl_attr_parse_nested(attribute, on_info, context);
	}
	return MNL_CB_OK;
}

struct net_bridge net_bridge_find(const char *name)
{
	struct netlink *netlink = netlink_open(NETLINK_ROUTE);
	struct net_bridge found = {0};
	struct ifinfomsg *message;
	struct nlmsghdr *request;

	if (!netlink)
		return found;
	request = netlink_begin(netlink, RTM_GETLINK, 0);
	message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	message->ifi_index = (int)if_nametoindex(name);
	if (message->ifi_index && netlink_send(netlink, on_link, &found))
		found = (struct net_bridge){0};
	netlink_close(netlink);
	return found;
}
