/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells, unasked, of interfaces, addresses, rules and default routes. */
#include "links/link_events.h"

#include <errno.h>
#include <ev.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>

#include "net/net_view.h"
#include "net/netlink_monitor.h"

struct link_events {
	struct ev_loop *loop;
	struct mnl_socket *monitor;
	ev_io io;
	struct link_events_listener listener;
	bool changed; /* links may be other than they were, or without what was set up */
};

/* Only default routes matter: a mesh changes others all the time. Halves of a default route, as
 * VPNs lay them over it, do. Of our own it matters that they are deleted, by whomever. */
static bool is_route_of_interest(const struct nlmsghdr *header)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(header);

	return route->rtm_dst_len <= NET_WAY_BITS_MAX &&
	       (route->rtm_protocol != LINK_PROTOCOL || header->nlmsg_type == RTM_DELROUTE);
}

static bool is_our_rule(const struct nlmsghdr *header)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct fib_rule_hdr))
	{
		if (mnl_attr_get_type(attribute) == FRA_PROTOCOL &&
		    mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
			return mnl_attr_get_u8(attribute) == LINK_PROTOCOL;
	}
	return false;
}

static bool is_of_interest(const struct link_events *events, const struct nlmsghdr *header)
{
	const struct ifinfomsg *device = mnl_nlmsg_get_payload(header);
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(header);

	switch (header->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return is_route_of_interest(header);
	case RTM_NEWRULE:
		return !is_our_rule(header);
	case RTM_NEWLINK:
		if (!(device->ifi_flags & IFF_UP))
			events->listener.shaken(events->listener.context, device->ifi_index);
		return true;
	case RTM_DELADDR:
		events->listener.shaken(events->listener.context, (int)address->ifa_index);
		return true;
	default:
		return true;
	}
}

static void take_event(const struct nlmsghdr *header, void *context)
{
	struct link_events *events = context;

	events->changed = is_of_interest(events, header) || events->changed;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct link_events *events = io->data;

	(void)loop;
	(void)revents;
	events->changed = false;
	if (!netlink_monitor_read(events->monitor, take_event, events) || events->changed)
		events->listener.changed(events->listener.context);
}

struct link_events *link_events_open(struct ev_loop *loop,
				     const struct link_events_listener *listener)
{
	static const int groups[] = {RTNLGRP_LINK,	 RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
				     RTNLGRP_IPV6_RULE,	 RTNLGRP_NEXTHOP};
	struct link_events *events = calloc(1, sizeof(*events));
	ev_io *io;

	if (!events)
		return NULL;
	events->loop = loop;
	events->listener = *listener;
	events->monitor =
		netlink_monitor_open(NETLINK_ROUTE, groups, sizeof(groups) / sizeof(groups[0]));
	if (!events->monitor) {
		const int err = errno;

		free(events);
		errno = err;
		return NULL;
	}
	io = &events->io;
	ev_io_init(io, on_readable, mnl_socket_get_fd(events->monitor), EV_READ);
	io->data = events;
	ev_io_start(loop, io);
	return events;
}

void link_events_close(struct link_events *events)
{
	if (!events)
		return;
	ev_io_stop(events->loop, &events->io);
	mnl_socket_close(events->monitor);
	free(events);
}
