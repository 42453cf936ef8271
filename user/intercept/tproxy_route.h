/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What TPROXY needs of routing: packets with our mark are delivered on this host, whatever their
 * destination. One rule and one route for each family, in a table of our own. */
#ifndef HAWSER_INTERCEPT_TPROXY_ROUTE_H
#define HAWSER_INTERCEPT_TPROXY_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

struct intercept_plan;

/* family is AF_INET or AF_INET6. All are idempotent. 0 or -errno. */

/* Puts the rule right before all that may be for what the plan marks, also back up where those have
 * gone. None can come before one of priority 0. */
int tproxy_route_add(const struct intercept_plan *plan, int family);
int tproxy_route_remove(int family);

/* Whether the kernel delivers here, by our table, what has our mark. 1 or 0, or -errno. */
int tproxy_route_works(int family);

/* Whether somebody's rule, whose priority is told, may be for what the plan marks, and comes before
 * ours. 1 or 0, or -errno. */
int tproxy_route_is_behind(const struct intercept_plan *plan, int family, uint32_t *priority);

#endif
