/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the service manager is told: that clients are served, and that no thread hangs. */
#include "base/notify.h"
#include "daemon/daemon_private.h"
#include "daemon/worker.h"

/* Each worker answers between two rounds of its loop, and this one while it runs. */
static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int events)
{
	const struct daemon *daemon = timer->data;
	struct stats stats;

	(void)loop;
	(void)events;
	for (size_t w = 0; w < daemon->worker_count; w++)
		worker_get_stats(daemon->workers[w], &stats);
	notify_send("WATCHDOG=1", NULL, 0);
}

void service_ready(struct daemon *daemon)
{
	const double every_s = notify_watchdog_s();
	ev_timer *timer = &daemon->watchdog;

	ev_timer_init(timer, on_watchdog, every_s, every_s);
	timer->data = daemon;
	if (every_s > 0)
		ev_timer_start(daemon->loop, timer);
	notify_send("READY=1\nSTATUS=serving", NULL, 0);
}
