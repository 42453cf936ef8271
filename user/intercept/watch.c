/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's events about what interception rests on. */
#include "intercept/watch.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include "intercept/nft_rules.h"
#include "intercept/steer_mark.h"
#include "net/netlink_monitor.h"

struct intercept_watch {
	struct mnl_socket *route;
	struct mnl_socket *nftables; /* NULL: the kernel has none */
};

struct intercept_watch *intercept_watch_open(void)
{
	static const int route_groups[] = {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_ROUTE,
					   RTNLGRP_IPV6_ROUTE};
	static const int nftables_groups[] = {NFNLGRP_NFTABLES};
	struct intercept_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->route = netlink_monitor_open(NETLINK_ROUTE, route_groups, 4);
	if (!watch->route) {
		int err = errno;

		free(watch);
		errno = err;
		return NULL;
	}
	watch->nftables = netlink_monitor_open(NETLINK_NETFILTER, nftables_groups, 1);
	return watch;
}

void intercept_watch_close(struct intercept_watch *watch)
{
	if (!watch)
		return;
	mnl_socket_close(watch->route);
	if (watch->nftables)
		mnl_socket_close(watch->nftables);
	free(watch);
}

void intercept_watch_fds(const struct intercept_watch *watch, int out[INTERCEPT_WATCH_FDS])
{
	out[0] = mnl_socket_get_fd(watch->route);
	out[1] = watch->nftables ? mnl_socket_get_fd(watch->nftables) : -1;
}

static void take_route(const struct nlmsghdr *header, void *context)
{
	struct intercept_events *out = context;
	const struct rtmsg *route = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;
	uint32_t table;

	if (header->nlmsg_type == RTM_NEWRULE || header->nlmsg_type == RTM_DELRULE)
		out->route = true;
	if (header->nlmsg_type != RTM_DELROUTE)
		return;
	table = route->rtm_table;
	mnl_attr_for_each(attribute, header, sizeof(*route))
	{
		if (mnl_attr_get_type(attribute) == RTA_TABLE &&
		    mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			table = mnl_attr_get_u32(attribute);
	}
	out->route = out->route || table == STEER_TABLE;
}

/* What hawserd itself, or time, changes. */
static bool is_living_set(const char *name)
{
	return strcmp(name, "alive") == 0 || strcmp(name, "holding") == 0 ||
	       strncmp(name, "auto_bypass", 11) == 0;
}

/* Of all kinds of object, the first attribute is the table's name; of elements the second is their
 * set's. */
static void take_nftables(const struct nlmsghdr *header, void *context)
{
	struct intercept_events *out = context;
	const struct nfgenmsg *family = mnl_nlmsg_get_payload(header);
	const unsigned int kind = header->nlmsg_type & 0xff;
	const char *table = "";
	const char *set = "";
	const struct nlattr *attribute;

	if (kind == NFT_MSG_NEWGEN)
		return;
	mnl_attr_for_each(attribute, header, sizeof(*family))
	{
		const bool is_text = mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0;

		if (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME && is_text)
			table = mnl_attr_get_str(attribute);
		if (mnl_attr_get_type(attribute) == NFTA_SET_ELEM_LIST_SET && is_text &&
		    (kind == NFT_MSG_NEWSETELEM || kind == NFT_MSG_DELSETELEM))
			set = mnl_attr_get_str(attribute);
	}
	if (family->nfgen_family == NFPROTO_INET && strcmp(table, INTERCEPT_TABLE_NAME) == 0)
		out->table = out->table || !is_living_set(set);
	else if (kind <= NFT_MSG_DELRULE)
		out->firewall = true; /* tables, chains and rules */
}

void intercept_watch_read(struct intercept_watch *watch, struct intercept_events *out)
{
	bool complete = netlink_monitor_read(watch->route, take_route, out);

	if (watch->nftables)
		complete = netlink_monitor_read(watch->nftables, take_nftables, out) && complete;
	if (!complete)
		*out = (struct intercept_events){true, true, true, true};
}
