/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names to addresses, asynchronously, by c-ares on a libev loop: resolv.conf and the hosts file
 * honoured. One per worker. */
#ifndef HAWSER_UPSTREAM_RESOLVER_H
#define HAWSER_UPSTREAM_RESOLVER_H

#include <stddef.h>

#include "base/address.h"
#include "base/cause.h"

#define LOOKUP_ADDRESSES_MAX 8 /* per family; more are of no use to Happy Eyeballs */

struct ev_loop;
struct lookup;
struct resolver;

/* cause is CAUSE_NONE when there are addresses (ports 0), else CAUSE_NAME_NOT_FOUND (also: no
 * address of this family) or CAUSE_RESOLVE_FAILED. */
typedef void lookup_fn(void *context, int family, enum cause cause, const union address *addresses,
		       size_t count);

/* NULL when out of memory, or when c-ares cannot read its configuration. */
struct resolver *resolver_open(struct ev_loop *loop);

/* Every lookup must be done or cancelled. NULL is allowed. */
void resolver_close(struct resolver *resolver);

/* Looks host up in one family (AF_INET, AF_INET6). Calls done once: from the loop later, or before
 * it returns, and then returns NULL. host must stay valid until then or until cancelled. */
struct lookup *resolver_start(struct resolver *resolver, const char *host, int family,
			      lookup_fn *done, void *context);

/* done will not be called. */
void lookup_cancel(struct lookup *lookup);

#endif
