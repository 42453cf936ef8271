/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket that is said to be writable and takes nothing is tried by a timer. */
#include "base/write_pause.h"

#define FIRST_S	  0.01
#define DOUBLINGS 4

void write_pause_init(struct write_pause *pause,
		      void (*over)(struct ev_loop *loop, ev_timer *timer, int events), void *owner)
{
	*pause = (struct write_pause){0};
	ev_init(&pause->timer, over);
	pause->timer.data = owner;
}

void write_pause_tried(struct write_pause *pause, struct ev_loop *loop, bool took)
{
	unsigned int doublings;

	if (took) {
		write_pause_stop(pause, loop);
		return;
	}
	if (++pause->in_vain < WRITE_PAUSE_ATTEMPTS || write_pause_holds(pause))
		return;
	doublings = pause->in_vain - WRITE_PAUSE_ATTEMPTS;
	ev_timer_set(&pause->timer,
		     FIRST_S * (1U << (doublings < DOUBLINGS ? doublings : DOUBLINGS)), 0.);
	ev_timer_start(loop, &pause->timer);
}

bool write_pause_holds(const struct write_pause *pause)
{
	return ev_is_active(&pause->timer);
}

void write_pause_stop(struct write_pause *pause, struct ev_loop *loop)
{
	ev_timer_stop(loop, &pause->timer);
	pause->in_vain = 0;
}
