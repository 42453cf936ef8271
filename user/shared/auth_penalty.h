/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failed handshakes by source address: who fails again and again is answered late, and the log has
 * one line a minute. Bounded memory. Any thread. */
#ifndef HAWSER_SHARED_AUTH_PENALTY_H
#define HAWSER_SHARED_AUTH_PENALTY_H

#include <stdbool.h>

#include "base/address.h"

/* Less than a router waits for an answer, so that it learns what is wrong. */
#define AUTH_PENALTY_DELAY_MAX_S 2.

#define AUTH_PENALTY_LINES     10
#define AUTH_PENALTY_LINES_MAX 500

struct auth_penalty;

/* NULL when out of memory. */
struct auth_penalty *auth_penalty_open(void);
void auth_penalty_close(struct auth_penalty *penalty); /* NULL is allowed */

/* Counts one and returns for how many seconds to hold its refusal back: 0.1 for the first, twice as
 * long for each further one, at most AUTH_PENALTY_DELAY_MAX_S. After a minute without any, they are
 * forgotten. An IPv6 address stands for its /64. now_s: of any steady clock. *tell is whether it is
 * worth a line of its own in the log: AUTH_PENALTY_LINES of an address between two calls of
 * auth_penalty_log(), and AUTH_PENALTY_LINES_MAX of all. */
double auth_penalty_note(struct auth_penalty *penalty, const union address *address, double now_s,
			 bool *tell);

/* Whether a password from there may be judged: not beyond 20 failures at once and 10 a second,
 * however many connections they come by. */
bool failures_may_guess(struct auth_penalty *penalty, const union address *address, double now_s);

/* Logs how many there were since the last call, if any, and where most came from. */
void auth_penalty_log(struct auth_penalty *penalty);

#endif
