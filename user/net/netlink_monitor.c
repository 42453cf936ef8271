/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netlink socket that hears the kernel's events. */
#include "net/netlink_monitor.h"

#include <errno.h>
#include <sys/socket.h>

#define EVENT_BYTES 32768

struct mnl_socket *netlink_monitor_open(int bus, const int *groups, size_t count)
{
	struct mnl_socket *monitor = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int err = 0;

	if (!monitor)
		return NULL;
	if (mnl_socket_bind(monitor, 0, MNL_SOCKET_AUTOPID))
		err = errno;
	for (size_t i = 0; !err && i < count; i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(monitor, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) &&
		    errno != EINVAL)
			err = errno;
	}
	if (!err)
		return monitor;
	mnl_socket_close(monitor);
	errno = err;
	return NULL;
}

bool netlink_monitor_read(const struct mnl_socket *monitor, netlink_event_fn *take, void *context)
{
	_Alignas(struct nlmsghdr) char buffer[EVENT_BYTES];
	bool complete = true;
	ssize_t len;

	while ((len = recv(mnl_socket_get_fd(monitor), buffer, sizeof(buffer), MSG_DONTWAIT)) !=
	       0) {
		const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
		int left = (int)len;

		if (len < 0 && errno == ENOBUFS) {
			complete = false;
			continue;
		}
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			break;
		for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left))
			if (header->nlmsg_type >= NLMSG_MIN_TYPE)
				take(header, context);
	}
	return complete;
}
