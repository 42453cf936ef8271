/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses an exit connects to for those who come with a token. */
#ifndef HAWSER_AUTH_EGRESS_POLICY_H
#define HAWSER_AUTH_EGRESS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

struct token;

struct guard {
	const struct prefix *allow; /* although they are special */
	size_t allow_count;
	const struct token *token; /* its destinations; NULL: all */
};

/* Whether an address is for the exit's own networks, its provider's services or nobody: loopback,
 * link-local, private, shared (RFC 6598), multicast, reserved (RFC 6890), metadata of clouds; also
 * where an IPv6 address only wraps such an IPv4 address (NAT64, 6to4). Pure. */
bool guard_is_special(const union address *address);

/* Whether the guard lets a connection to this address through. What is an address of this host
 * counts as special, too: the packet filter on the way from outside would be passed by. */
bool guard_allows(const struct guard *guard, const union address *address);

#endif
