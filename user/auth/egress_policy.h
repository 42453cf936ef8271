/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses a client may be connected to. */
#ifndef HAWSER_AUTH_EGRESS_POLICY_H
#define HAWSER_AUTH_EGRESS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

struct netlink;
struct token;

/* Own addresses matter because the packet filter that guards this host's services does not see who
 * asks through us. */
enum egress {
	EGRESS_NOT_OWN,	     /* no address of this host, unless the client is on it */
	EGRESS_NOT_LOOPBACK, /* the same, of loopback alone */
	EGRESS_NOT_SPECIAL,  /* for tokens: no special address, and none of this host */
	EGRESS_ANYWHERE,
};

struct egress_policy {
	enum egress kind;
	const struct prefix *allow; /* exceptions from the kind */
	size_t allow_count;
	const struct token *token; /* its destinations; NULL: all */
};

/* Whether an address is for the exit's own networks, its provider's services or nobody: loopback,
 * link-local, private, shared (RFC 6598), multicast, reserved (RFC 6890), metadata of clouds; also
 * where an IPv6 address only wraps such an IPv4 address (NAT64, 6to4). Pure. */
bool egress_is_special(const union address *address);

/* Judges a connection to this address and port for this client. The kernel's routes say which
 * addresses are this host's. 0; -EACCES; or another -errno when the kernel does not say, which
 * refuses it, too. */
int egress_check(const struct egress_policy *policy, struct netlink *routes,
		 const union address *client, const union address *to);

#endif
