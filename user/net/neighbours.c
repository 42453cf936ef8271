/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/neighbours.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/netlink.h"

#define MAC_BYTES 6

/* The last address that a neighbour had may be wrong, but is better than none. */
#define NO_ADDRESS (NUD_INCOMPLETE | NUD_NOARP)

static int on_neighbour(const struct nlmsghdr *header, void *context)
{
	const struct ndmsg *message = mnl_nlmsg_get_payload(header);
	struct neighbours *neighbours = context;
	struct neighbour neighbour = {0};
	const struct nlattr *attribute;
	size_t ip_bytes = message->ndm_family == AF_INET6 ? 16 : 4;
	bool has_mac = false;

	if ((message->ndm_family != AF_INET && message->ndm_family != AF_INET6) ||
	    message->ndm_state & NO_ADDRESS || neighbours->count == NEIGHBOURS_MAX)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		const size_t len = mnl_attr_get_payload_len(attribute);

		if (mnl_attr_get_type(attribute) == NDA_DST && len == ip_bytes) {
			address_from_bytes(&neighbour.address, message->ndm_family,
					   mnl_attr_get_payload(attribute), 0);
		} else if (mnl_attr_get_type(attribute) == NDA_LLADDR && len == MAC_BYTES) {
			memcpy(neighbour.mac, mnl_attr_get_payload(attribute), MAC_BYTES);
			has_mac = true;
		}
	}
	if (!has_mac || neighbour.address.sa.sa_family == AF_UNSPEC)
		return MNL_CB_OK;
	return NETLINK_LIST_ADD(neighbours->list, neighbours->count, &neighbour);
}

int neighbours_load(struct neighbours *out)
{
	struct netlink *netlink = netlink_open(NETLINK_ROUTE);
	struct ndmsg *message;
	struct nlmsghdr *header;
	int err;

	*out = (struct neighbours){0};
	if (!netlink)
		return -errno;
	header = netlink_begin(netlink, RTM_GETNEIGH, NLM_F_DUMP);
	message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->ndm_family = AF_UNSPEC;
	err = netlink_send(netlink, on_neighbour, out);
	netlink_close(netlink);
	/* What changed meanwhile is there the next time. */
	return err == -EINTR ? 0 : err;
}

void neighbours_free(struct neighbours *neighbours)
{
	free(neighbours->list);
	*neighbours = (struct neighbours){0};
}

const char *neighbours_find(const struct neighbours *neighbours, const union address *address,
			    char out[MAC_TEXT_MAX])
{
	for (size_t i = 0; i < neighbours->count; i++) {
		const uint8_t *mac = neighbours->list[i].mac;

		if (!address_same_ip(&neighbours->list[i].address, address))
			continue;
		snprintf(out, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
			 mac[3], mac[4], mac[5]);
		return out;
	}
	return NULL;
}
