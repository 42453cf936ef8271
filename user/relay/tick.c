/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One timer per worker that calls all who want to look regularly instead of being woken. */
#include "relay/tick.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A timerfd, since libev rounds its own timers to the millisecond of epoll_wait(2). */
static void tick_set_period(struct ticker *ticker, uint32_t period_us)
{
	const struct timespec period = {.tv_sec = period_us / 1000000,
					.tv_nsec = (long)(period_us % 1000000) * 1000};
	const struct itimerspec timer = {.it_interval = period, .it_value = period};

	if (period_us == ticker->period_us)
		return;
	timerfd_settime(ticker->timer_fd, 0, &timer, NULL);
	if (ticker->period_us == 0)
		ev_io_start(ticker->loop, &ticker->io);
	else if (period_us == 0)
		ev_io_stop(ticker->loop, &ticker->io);
	ticker->period_us = period_us;
}

/* The shortest interval that anybody wants is the period; the others wait for a multiple of it. */
static void tick_adjust(struct ticker *ticker)
{
	uint32_t period_us = 0;

	for (const struct tick_watch *watch = ticker->list; watch; watch = watch->next_watch)
		if (period_us == 0 || watch->interval_us < period_us)
			period_us = watch->interval_us;
	tick_set_period(ticker, period_us);
}

static void tick_on_expiry(struct ev_loop *loop, ev_io *io, int events)
{
	struct ticker *ticker = io->data;
	uint64_t expirations;
	uint32_t elapsed_us;

	(void)loop;
	(void)events;
	if (read(ticker->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return;
	elapsed_us = ticker->period_us;
	for (struct tick_watch *watch = ticker->list; watch; watch = ticker->next) {
		ticker->next = watch->next_watch;
		watch->waited_us += elapsed_us;
		/* Half a period early is nearer than half a period late. */
		if (watch->waited_us + elapsed_us / 2 < watch->interval_us)
			continue;
		watch->waited_us = 0;
		watch->tick(watch->owner);
	}
	ticker->next = NULL;
	tick_adjust(ticker);
}

int tick_init(struct ticker *ticker, struct ev_loop *loop)
{
	*ticker = (struct ticker){.loop = loop};
	ticker->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (ticker->timer_fd < 0)
		return -errno;
	ev_io_init(&ticker->io, tick_on_expiry, ticker->timer_fd, EV_READ);
	ticker->io.data = ticker;
	return 0;
}

void tick_fini(struct ticker *ticker)
{
	if (ticker->timer_fd < 0)
		return;
	ev_io_stop(ticker->loop, &ticker->io);
	close(ticker->timer_fd);
	ticker->timer_fd = -1;
}

void tick_start(struct ticker *ticker, struct tick_watch *watch, uint32_t interval_us,
		tick_fn *tick, void *owner)
{
	if (watch->active)
		return;
	*watch = (struct tick_watch){.tick = tick,
				     .owner = owner,
				     .interval_us = interval_us,
				     .active = true,
				     .next_watch = ticker->list,
				     .link = &ticker->list};
	if (ticker->list)
		ticker->list->link = &watch->next_watch;
	ticker->list = watch;
	if (ticker->period_us == 0 || interval_us < ticker->period_us)
		tick_set_period(ticker, interval_us);
}

void tick_stop(struct ticker *ticker, struct tick_watch *watch)
{
	if (!watch->active)
		return;
	if (ticker->next == watch)
		ticker->next = watch->next_watch;
	*watch->link = watch->next_watch;
	if (watch->next_watch)
		watch->next_watch->link = watch->link;
	watch->active = false;
	if (!ticker->list)
		tick_set_period(ticker, 0);
}
