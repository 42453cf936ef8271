/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells, unasked, of interfaces, addresses, rules and default routes. */
#include "links/link_events.h"

#include <errno.h>
#include <ev.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/net_view.h"

struct link_events {
	struct ev_loop *loop;
	struct mnl_socket *socket;
	ev_io io;
	struct link_events_listener listener;
};

/* Of routes only the default ones of others matter: a mesh changes others all the time. Halves of a
 * default route, as VPNs lay them over it, do. */
static bool is_route_of_interest(const struct nlmsghdr *header)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(header);

	return route->rtm_dst_len <= NET_WAY_BITS_MAX && route->rtm_protocol != LINK_PROTOCOL;
}

static bool is_ours(const struct nlmsghdr *header)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct fib_rule_hdr))
	{
		if (mnl_attr_get_type(attribute) == FRA_PROTOCOL)
			return mnl_attr_get_u8(attribute) == LINK_PROTOCOL;
	}
	return false;
}

/* Whether links may be other than they were. */
static bool take_event(const struct link_events *events, const struct nlmsghdr *header)
{
	const struct ifinfomsg *device = mnl_nlmsg_get_payload(header);
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(header);

	switch (header->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return is_route_of_interest(header);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return !is_ours(header);
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

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	const struct link_events *events = io->data;
	_Alignas(struct nlmsghdr) char buffer[32768];
	bool changed = false;
	ssize_t len;

	(void)loop;
	(void)revents;
	while ((len = recv(io->fd, buffer, sizeof(buffer), MSG_DONTWAIT)) != 0) {
		const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
		int left = (int)len;

		if (len < 0 && errno == ENOBUFS) {
			changed = true; /* some were lost */
			continue;
		}
		if (len < 0)
			break;
		for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left))
			changed = take_event(events, header) || changed;
	}
	if (changed)
		events->listener.changed(events->listener.context);
}

static int join_groups(struct mnl_socket *socket)
{
	static const int groups[] = {RTNLGRP_LINK,	 RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
				     RTNLGRP_IPV6_RULE,	 RTNLGRP_NEXTHOP};

	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		int group = groups[i];

		/* Before 5.3 there are no next-hop objects. */
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) &&
		    group != RTNLGRP_NEXTHOP)
			return -errno;
	}
	return 0;
}

struct link_events *link_events_open(struct ev_loop *loop,
				     const struct link_events_listener *listener)
{
	struct link_events *events = calloc(1, sizeof(*events));
	ev_io *io;
	int err = -ENOMEM;

	if (!events)
		return NULL;
	events->loop = loop;
	events->listener = *listener;
	events->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!events->socket || mnl_socket_bind(events->socket, 0, MNL_SOCKET_AUTOPID))
		err = -errno;
	else
		err = join_groups(events->socket);
	if (err) {
		if (events->socket)
			mnl_socket_close(events->socket);
		free(events);
		errno = -err;
		return NULL;
	}
	io = &events->io;
	ev_io_init(io, on_readable, mnl_socket_get_fd(events->socket), EV_READ);
	io->data = events;
	ev_io_start(loop, io);
	return events;
}

void link_events_close(struct link_events *events)
{
	if (!events)
		return;
	ev_io_stop(events->loop, &events->io);
	mnl_socket_close(events->socket);
	free(events);
}
