/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failed handshakes by source address: who fails again and again is answered late, and the log has
 * one line a minute. Bounded memory. Any thread. */
#ifndef HAWSER_SHARED_AUTH_PENALTY_H
#define HAWSER_SHARED_AUTH_PENALTY_H

#include "base/address.h"

/* Less than a router waits for an answer, so that it learns what is wrong. */
#define FAILURES_DELAY_MAX_S 2.

struct failures;

/* NULL when out of memory. */
struct failures *failures_open(void);
void failures_close(struct failures *failures); /* NULL is allowed */

/* Counts one and returns for how many seconds to hold its refusal back: 0.1 for the first, twice as
 * long for each further one, at most FAILURES_DELAY_MAX_S. After a minute without any, they are
 * forgotten. An IPv6 address stands for its /64. now_s: of any steady clock. */
double failures_note(struct failures *failures, const union address *address, double now_s);

/* Logs how many there were since the last call, if any, and where most came from. */
void failures_log(struct failures *failures);

#endif
