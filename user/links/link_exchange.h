/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request by TCP and what is answered, by a link whatever the rules say. Main thread only. */
#ifndef HAWSER_LINKS_LINK_EXCHANGE_H
#define HAWSER_LINKS_LINK_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define LINK_EXCHANGE_MAX 8192 /* bytes of an answer; what follows counts as its end */

struct ev_loop;
struct link_exchange;

/* Takes what has come so far, all of it each time; end: nothing more will, for whatever reason. It
 * returns whether that is enough, and then, or after the end, is not called any more. */
typedef bool link_exchange_fn(void *context, const uint8_t *answer, size_t len, bool end);

struct link_exchange_plan {
	const char *device;
	const union address *from; /* of the link */
	const union address *to;
	const void *request; /* is copied */
	size_t len;	     /* at most LINK_EXCHANGE_MAX */
	double deadline_s;   /* for all of it */
};

/* NULL when it cannot even begin. take is called from the loop, never before this returns. */
struct link_exchange *link_exchange_start(struct ev_loop *loop,
					  const struct link_exchange_plan *plan,
					  link_exchange_fn *take, void *context);

/* Resets the connection; take is not called any more. NULL is allowed. Not from within take. */
void link_exchange_cancel(struct link_exchange *exchange);

#endif
