/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks for MPTCP sockets of sessions that have no room for what all wait for, and makes room. One
 * for each worker. */
#ifndef HAWSER_SESSION_ROOM_WATCH_H
#define HAWSER_SESSION_ROOM_WATCH_H

#include <ev.h>

struct session_env;

struct room_watch {
	struct session_env *env;
	ev_timer timer;
	unsigned int granted; /* receive buffers that sockets have more, as of the last look */
};

void room_watch_init(struct room_watch *watch, struct session_env *env);

/* Looks for some time, as a session has moved; cheap. */
void room_watch_wake(struct room_watch *watch);

#endif
