/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the routing rule for what is marked stands among those of others. */
#ifndef HAWSER_INTERCEPT_RULE_ORDER_H
#define HAWSER_INTERCEPT_RULE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "intercept/plan.h"

struct rule_order {
	bool there;	   /* our rule is; of several, the first */
	uint32_t priority; /* its */
	bool behind;	   /* another before it may be for what is marked */
	bool any;	   /* another at our highest place or before may be */
	uint32_t first;	   /* the priority of the first that may be */
};

/* Of a family, AF_INET or AF_INET6. What cannot be known of a rule counts against it: a packet that
 * hawserd's socket is to have, and that another rule routes, is lost. 0 or -errno. */
int rule_order_read(const struct intercept_plan *plan, int family, struct rule_order *out);

#endif
