/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an IP address is one of this host, at this moment. */
#ifndef HAWSER_NET_LOCAL_ADDRESS_H
#define HAWSER_NET_LOCAL_ADDRESS_H

#include <stdbool.h>

#include "base/address.h"

/* 0: a socket can be bound to it. -EADDRNOTAVAIL: no interface has it, or (IPv6) not yet, as it is
 * tentative. -EAFNOSUPPORT: the kernel has no such family. Other errors are not about the address
 * and count as 0. */
int local_address_check(const union address *address);

/* Whether IPv6 is switched off where this address would be: in the kernel, or by
 * net.ipv6.conf.*.disable_ipv6 on lo for ::1, for others on all interfaces and on those to come. */
bool local_address_is_off(const union address *address);

#endif
