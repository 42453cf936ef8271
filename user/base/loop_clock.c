/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steady clock as a loop's callbacks read it. */
#include "base/loop_clock.h"

#include "base/clock.h"

static void on_check(struct ev_loop *loop, ev_check *check, int events)
{
	struct loop_clock *clock = check->data;

	(void)loop;
	(void)events;
	clock->now_s = clock_monotonic_s();
}

void loop_clock_init(struct loop_clock *clock, struct ev_loop *loop)
{
	clock->now_s = clock_monotonic_s();
	ev_check_init(&clock->check, on_check);
	clock->check.data = clock;
	/* Before all else that a round brings. */
	ev_set_priority(&clock->check, EV_MAXPRI);
	ev_check_start(loop, &clock->check);
	/* It keeps no loop running. */
	ev_unref(loop);
	ev_set_userdata(loop, clock);
}

double loop_clock_s(struct ev_loop *loop)
{
	const struct loop_clock *clock = ev_userdata(loop);

	return clock ? clock->now_s : clock_monotonic_s();
}
