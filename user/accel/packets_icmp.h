/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells a peer whose packets are forwarded that they do not fit the other leg. */
#ifndef HAWSER_ACCEL_PACKETS_ICMP_H
#define HAWSER_ACCEL_PACKETS_ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "hawser_packets.h"

struct packets_icmp;

/* Needs CAP_NET_RAW. NULL: nobody is told anything. */
struct packets_icmp *packets_icmp_open(void);
void packets_icmp_close(struct packets_icmp *icmp); /* NULL is allowed */

/* Any thread. A packet of the leg's peer, with this sequence number, was too big (RFC 792, 8201).
 * False: there is no socket to say so by. What cannot be sent just now is not: the peer sends its
 * packet again, and is told again. */
bool packets_icmp_too_big(const struct packets_icmp *icmp, const struct hawser_packets_pair *pair,
			  unsigned int leg, uint32_t seq);

#endif
