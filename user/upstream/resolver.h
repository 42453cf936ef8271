/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names to addresses, asynchronously, resolv.conf and the hosts file honoured. One per worker. Who
 * asks for what is being asked for already waits with the others, what was not found is not asked
 * for again at once, and what nobody waits for any more is given up. */
#ifndef HAWSER_UPSTREAM_RESOLVER_H
#define HAWSER_UPSTREAM_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/cause.h"

#define RESOLVER_RUNNING_MAX	    64 /* names asked for at once; more wait */
#define RESOLVER_RUNNING_CLIENT_MAX 16 /* of them of one client */
#define RESOLVER_WAITING_MAX	    1024 /* of one client as many as are free then; more are refused */
#define RESOLVER_FAILED_MAX	    512 /* names remembered as not found, or without an answer */

struct ev_loop;
struct link_picker;
struct lookup;
struct resolver;

/* cause is CAUSE_NONE when there are addresses (ports 0, at most NAME_ADDRESSES_MAX), else
 * CAUSE_NAME_NOT_FOUND (also: no address of this family), CAUSE_RESOURCES or CAUSE_RESOLVE_FAILED.
 */
typedef void lookup_fn(void *context, int family, enum cause cause, const union address *addresses,
		       size_t count);

/* Asks at most so many questions at once, of which a name takes one, and one for each link. NULL
 * when out of memory, or when c-ares cannot read its configuration. */
struct resolver *resolver_open(struct ev_loop *loop, uint32_t questions_max);

/* Every lookup must be done or cancelled. NULL is allowed. */
void resolver_close(struct resolver *resolver);

/* Looks host up in one family (AF_INET, AF_INET6), for a client; those on this host are asked for
 * without a limit of their own. links: the name servers are asked by each that works, besides the
 * kernel's way, and the first that knows the name counts; NULL: by the kernel's way alone. Calls
 * done once: from the loop later, or before it returns, and then returns NULL. localhost and all
 * below it are this host (RFC 6761 section 6.3). */
struct lookup *resolver_start(struct resolver *resolver, const char *host, int family,
			      const union address *client, const struct link_picker *links,
			      lookup_fn *done, void *context);

/* done will not be called. */
void lookup_cancel(struct lookup *lookup);

#endif
