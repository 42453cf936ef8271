/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rtnetlink says of an interface that is a bridge. */
#ifndef HAWSER_NET_BRIDGE_H
#define HAWSER_NET_BRIDGE_H

#include <stdbool.h>

#include "base/address.h"

struct net_bridge {
	bool is_bridge;
	bool nf_call[IP_FAMILIES]; /* its own switch of bridge-netfilter, beside those of all */
};

/* All false when there is no such interface, or the kernel does not say. */
struct net_bridge net_bridge_find(const char *name);

#endif
