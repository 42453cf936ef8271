/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks again and again at what no event tells of, ever more rarely. */
#include "base/poller.h"
#include "base/loop_clock.h"

#define SHORTEST_S 0.001 /* after a look at once */
#define LONGEST_S  1.

/* Of all watches that have waited for long. What one has before is a handful of looks, ever. */
#define LOOKS_PER_S 250.

static void poll_arm(const struct poller *poller, struct poll_watch *watch)
{
	ev_timer_set(&watch->timer, watch->interval_s, 0.);
	ev_timer_start(poller->loop, &watch->timer);
}

static void poll_on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct poll_watch *watch = timer->data;
	const struct poller *poller = watch->poller;
	const double shared_s = poller->active / LOOKS_PER_S;
	const double longest_s = shared_s > LONGEST_S ? shared_s : LONGEST_S;

	(void)loop;
	(void)events;
	watch->interval_s = watch->interval_s > 0. ? watch->interval_s * 2 : SHORTEST_S;
	if (watch->interval_s > longest_s)
		watch->interval_s = longest_s;
	poll_arm(poller, watch);
	watch->look(watch->owner);
}

void poller_init(struct poller *poller, struct ev_loop *loop)
{
	*poller = (struct poller){.loop = loop};
}

void poller_start(struct poller *poller, struct poll_watch *watch, double first_s, poll_fn *look,
		  void *owner)
{
	if (watch->poller)
		return;
	*watch = (struct poll_watch){.poller = poller,
				     .interval_s = first_s,
				     .since = loop_clock_s(poller->loop),
				     .look = look,
				     .owner = owner};
	ev_init(&watch->timer, poll_on_timer);
	watch->timer.data = watch;
	poller->active++;
	poll_arm(poller, watch);
}

void poller_stop(struct poll_watch *watch)
{
	if (!watch->poller)
		return;
	ev_timer_stop(watch->poller->loop, &watch->timer);
	watch->poller->active--;
	watch->poller = NULL;
}
