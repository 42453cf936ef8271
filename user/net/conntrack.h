/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's connection tracking remembers of a connection. */
#ifndef HAWSER_NET_CONNTRACK_H
#define HAWSER_NET_CONNTRACK_H

#include <stdbool.h>

#include "base/address.h"

struct netlink;

/* Whether this network namespace tracks connections. To ask otherwise would load the module. */
bool conntrack_is_there(void);

/* Forgets a TCP connection that one address opened to another; netlink is one of NETLINK_NETFILTER.
 * 0, also when there was nothing to forget, or -errno. */
int conntrack_forget(struct netlink *netlink, const union address *from, const union address *to);

#endif
