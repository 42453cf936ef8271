/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of a hawserd that was killed: they go on forwarding what they had taken, and are let go
 * of when that is over. */
#ifndef HAWSER_ACCEL_PACKETS_ORPHAN_H
#define HAWSER_ACCEL_PACKETS_ORPHAN_H

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct hawser_packets_pair;
struct packets_orphans;

/* Whether a pair without an owner is still to be forwarded; what is not is nobody's from now on.
 * now_ns: CLOCK_MONOTONIC. */
bool packets_orphan_pair_lasts(struct hawser_packets_pair *pair, uint64_t now_ns);

/* Whether the owner of pairs lives, who said so last at that time: by another processor's clock
 * that may be after now. Both CLOCK_MONOTONIC. */
bool packets_orphan_owner_lives(uint64_t said_ns, uint64_t now_ns);

/* Finds them, which needs CAP_SYS_ADMIN, and looks after them from now on, once a second, for which
 * CAP_NET_ADMIN will do, whether packets are forwarded by this hawserd or not. NULL when out of
 * memory. */
struct packets_orphans *packets_orphans_open(struct ev_loop *loop);

/* Leaves those that last as they are. NULL is allowed. */
void packets_orphans_close(struct packets_orphans *orphans);

#endif
