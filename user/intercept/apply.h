/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts a plan into the kernel, takes everything of ours out of it, and sees whether it is there.
 * All state is in the kernel. */
#ifndef HAWSER_INTERCEPT_APPLY_H
#define HAWSER_INTERCEPT_APPLY_H

#include "intercept/plan.h"

/* All of it, in the place of what is in force; fault->seen may then be a warning. False with a
 * fault: what was in force still is. */
bool intercept_apply(const struct intercept_plan *plan, struct intercept_fault *fault);

/* False with a fault. To remove what is not there is none. */
bool intercept_withdraw(struct intercept_fault *fault);

/* Whether something of the plan is not in the kernel; fault->seen then names it. That the table's
 * content is as it was is not looked at: its events tell (intercept/watch.h). */
bool intercept_lacks(const struct intercept_plan *plan, struct intercept_fault *fault);

/* The routing rule of a plan that is in force goes to where it would be put now: what it went
 * before may have gone. Idempotent: its own events need not be told from those of others. */
void intercept_settle_rule(const struct intercept_plan *plan);

/* What is in force, as intercept_state() or steer_state() tells it; the caller's. NULL with a fault
 * when the kernel does not say. */
struct json_object *intercept_in_force(struct intercept_fault *fault);

/* Has new connections routed, and what is taken goes on; the next apply ends it, too. The other
 * methods need hawserd to be silent. */
void intercept_pause_tproxy(bool paused);

#endif
