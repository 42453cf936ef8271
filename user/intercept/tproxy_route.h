/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What TPROXY needs of routing: packets with our mark are delivered on this host, whatever their
 * destination. One rule and one route for each family, in a table of our own. */
#ifndef HAWSER_INTERCEPT_TPROXY_ROUTE_H
#define HAWSER_INTERCEPT_TPROXY_ROUTE_H

#include <stdbool.h>

/* One bit, so that it goes with other people's marks. */
#define STEER_MARK 0x01000000U
/* Before rules that people make, whose default is below 32766, and after "local". */
#define STEER_PRIORITY 684
#define STEER_TABLE    8684

/* family is AF_INET or AF_INET6. All are idempotent. 0 or -errno. */
int tproxy_route_add(int family);
int tproxy_route_remove(int family);

/* Whether the kernel delivers here, by our table, what has our mark. 1 or 0, or -errno. */
int tproxy_route_works(int family);

#endif
