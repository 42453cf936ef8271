/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's events about what interception rests on (intercept/watch.h), in the main loop. */
#ifndef HAWSER_DAEMON_RULE_EVENTS_H
#define HAWSER_DAEMON_RULE_EVENTS_H

#include <ev.h>

#include "intercept/watch.h"

/* All of these are for rule_events.c only, but for what rule_events_start() is given. */
struct rule_events {
	struct ev_loop *loop;
	struct intercept_watch *watch; /* NULL: none */
	ev_io ios[INTERCEPT_WATCH_FDS];
	void (*on_event)(void *context); /* something may be read */
	void *context;
};

/* With loop, on_event and context set. Without events, changes are seen later: that is logged. Does
 * nothing when it has started. */
void rule_events_start(struct rule_events *events);
void rule_events_stop(struct rule_events *events);

/* Adds to *out what has come since. */
void rule_events_read(struct rule_events *events, struct intercept_events *out);

#endif
