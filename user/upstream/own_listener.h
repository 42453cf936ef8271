/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where our own listeners are: a connection of ours that leads there would make another, and so on
 * until all file descriptors are used up. */
#ifndef HAWSER_UPSTREAM_OWN_LISTENER_H
#define HAWSER_UPSTREAM_OWN_LISTENER_H

#include "config/config.h"

struct netlink;

/* Whether one of our listeners is at this address and port. 1 or 0; -errno when the kernel does not
 * say which addresses are ours. */
int own_listener_is_at(const struct config *config, struct netlink *routes,
		       const union address *to);

#endif
