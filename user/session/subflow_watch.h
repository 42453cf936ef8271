/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at the kernel's figures of the subflows of sessions that move, and tells the main thread
 * what they say of links. One for each worker. */
#ifndef HAWSER_SESSION_SUBFLOW_WATCH_H
#define HAWSER_SESSION_SUBFLOW_WATCH_H

#include <ev.h>

struct session_env;

struct subflow_watch {
	struct session_env *env;
	ev_timer timer;
};

void subflow_watch_init(struct subflow_watch *watch, struct session_env *env);

/* Looks until no relay moves any more; cheap. arg: a struct subflow_watch, for relay_env. */
void subflow_watch_wake(void *arg);

#endif
