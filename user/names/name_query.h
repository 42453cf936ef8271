/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question for the addresses of a name, by c-ares on a libev loop, in a channel of its own: so
 * it can be cancelled, and costs nothing to others while a name server is silent. */
#ifndef HAWSER_NAMES_NAME_QUERY_H
#define HAWSER_NAMES_NAME_QUERY_H

#include <stddef.h>

#include "base/address.h"
#include "base/cause.h"

#define NAME_ADDRESSES_MAX 8 /* per family; more are of no use to Happy Eyeballs */

struct ev_loop;
struct name_asker;
struct name_query;

/* Asks as resolv.conf says now. NULL, after logging why, when c-ares cannot read it or memory
 * lacks. */
struct name_asker *name_asker_open(struct ev_loop *loop);

/* Reads resolv.conf again if it has changed, and says whether; one stat(2) if it has not. Queries
 * that are under way go on as it was before. */
bool name_asker_refresh(struct name_asker *asker);

/* No query may be under way. NULL is allowed. */
void name_asker_close(struct name_asker *asker);

/* cause is CAUSE_NONE when there are addresses (ports 0), else CAUSE_NAME_NOT_FOUND (also: no
 * address of this family), CAUSE_RESOURCES or CAUSE_RESOLVE_FAILED. */
typedef void name_query_fn(void *context, enum cause cause, const union address *addresses,
			   size_t count);

/* Asks for the addresses of one family (AF_INET, AF_INET6). sources: of IP_FAMILIES, from which to
 * ask; AF_UNSPEC, or NULL: the kernel's choice. Calls done once, from the loop, never before it
 * returns; the query is gone then. NULL when out of memory. */
struct name_query *name_query_start(struct name_asker *asker, const char *host, int family,
				    const union address *sources, name_query_fn *done,
				    void *context);

/* Closes its sockets. done is not called any more. */
void name_query_cancel(struct name_query *query);

#endif
