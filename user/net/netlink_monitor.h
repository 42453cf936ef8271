/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netlink socket that hears the kernel's events. Knows no message. */
#ifndef HAWSER_NET_NETLINK_MONITOR_H
#define HAWSER_NET_NETLINK_MONITOR_H

#include <stdbool.h>
#include <stddef.h>

#include <libmnl/libmnl.h>

/* Of these groups, not blocking; those that the kernel does not have are left out. NULL with errno
 * set. */
struct mnl_socket *netlink_monitor_open(int bus, const int *groups, size_t count);

typedef void netlink_event_fn(const struct nlmsghdr *header, void *context);

/* Hands all that is there to take. False when the kernel has dropped some before. */
bool netlink_monitor_read(const struct mnl_socket *monitor, netlink_event_fn *take, void *context);

#endif
