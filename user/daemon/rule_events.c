/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/rule_events.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	const struct rule_events *events = io->data;

	(void)loop;
	(void)revents;
	events->on_event(events->context);
}

void rule_events_start(struct rule_events *events)
{
	int fds[INTERCEPT_WATCH_FDS];

	if (events->watch)
		return;
	events->watch = intercept_watch_open();
	if (!events->watch) {
		log_warning(
			"interception: cannot listen for the kernel's events: %s; changes are seen "
			"later",
			strerror(errno));
		return;
	}
	intercept_watch_fds(events->watch, fds);
	for (int i = 0; i < INTERCEPT_WATCH_FDS; i++) {
		ev_io *io = &events->ios[i];

		ev_io_init(io, on_readable, fds[i], EV_READ);
		io->data = events;
		if (fds[i] >= 0)
			ev_io_start(events->loop, io);
	}
}

void rule_events_stop(struct rule_events *events)
{
	for (int i = 0; events->watch && i < INTERCEPT_WATCH_FDS; i++)
		ev_io_stop(events->loop, &events->ios[i]);
	intercept_watch_close(events->watch);
	events->watch = NULL;
}

void rule_events_read(struct rule_events *events, struct intercept_events *out)
{
	if (events->watch)
		intercept_watch_read(events->watch, out);
}
