/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steady clock as a loop's callbacks read it: once for each round. ev_now() is the time of day,
 * which is set back and forth. */
#ifndef HAWSER_BASE_LOOP_CLOCK_H
#define HAWSER_BASE_LOOP_CLOCK_H

#include <ev.h>

struct loop_clock {
	ev_check check;
	double now_s;
};

/* Takes the loop's user data, and is there as long as the loop. */
void loop_clock_init(struct loop_clock *clock, struct ev_loop *loop);

/* clock_monotonic_s() when this round began; of a loop without a loop_clock, now. */
double loop_clock_s(struct ev_loop *loop);

#endif
