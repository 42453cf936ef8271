/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of a hawserd that was killed: they go on forwarding what they had taken, and are let go
 * of when that is over. */
#ifndef HAWSER_ACCEL_PACKETS_ORPHAN_H
#define HAWSER_ACCEL_PACKETS_ORPHAN_H

#include <stdbool.h>
#include <stdint.h>

struct hawser_packets_pair;
struct packets_orphans;

/* Whether a pair without an owner is still to be forwarded; what is not is nobody's from now on.
 * now_ns: CLOCK_MONOTONIC. */
bool packets_orphan_pair_lasts(struct hawser_packets_pair *pair, uint64_t now_ns);

/* Whether the owner of pairs lives, who said so last at that time: by another processor's clock
 * that may be after now. Both CLOCK_MONOTONIC. */
bool packets_orphan_owner_lives(uint64_t said_ns, uint64_t now_ns);

/* Those that are there, also of a hawserd that lives: what tells them apart is looked at later.
 * Needs CAP_SYS_ADMIN to find any. NULL: there are none. */
struct packets_orphans *packets_orphans_find(void);

/* Once a second: forgets what has ended or been silent for long, of those whose owner is gone;
 * detaches those that have nothing left. The same, or NULL when none is left. */
struct packets_orphans *packets_orphans_tend(struct packets_orphans *orphans);

/* Leaves them as they are. NULL is allowed. */
void packets_orphans_close(struct packets_orphans *orphans);

#endif
