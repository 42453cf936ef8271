/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the packets of a pair still come and go by the devices that the program knows: routes
 * change, and a peer's packets may come another way than ours go. */
#ifndef HAWSER_ACCEL_PACKETS_WAY_H
#define HAWSER_ACCEL_PACKETS_WAY_H

#include "accel/packets.h"
#include "accel/packets_learn.h"
#include "base/direction.h"

/* When the socket has been put to rest. */
void packets_way_rest(struct packets_end *end);

/* Of a pair that was taken, about once a second: has the program forward to where a peer is now.
 * NULL, or why it cannot, a literal. now_s: CLOCK_MONOTONIC. Takes a system call or two only where
 * nothing comes from a peer, or by the wrong device. */
const char *packets_way_look(struct packets_worker *worker, struct packets_end ends[DIRECTIONS],
			     struct hawser_packets_pair *shared, double now_s);

/* Has the program look for the packets of a peer where those to it go now, and send them there. 0
 * or -errno: it cannot be done there. */
int packets_way_follow(struct packets_worker *worker, struct packets_end *end,
		       struct hawser_packets_leg *leg);

/* Whether the kernel knows a way to both peers now: without one no socket can be put back. */
bool packets_way_is_known(struct packets_worker *worker, const struct packets_end ends[DIRECTIONS],
			  const struct hawser_packets_pair *shared);

#endif
