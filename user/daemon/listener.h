/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One listening socket of one worker: accepts, and pauses when there is nothing left to accept
 * with. The fd is the listen_set's. */
#ifndef HAWSER_DAEMON_LISTENER_H
#define HAWSER_DAEMON_LISTENER_H

#include <ev.h>

#include "config/config.h"
#include "session/session.h"

struct listener {
	struct session_env *env;
	const struct listen_config *config;
	struct handed_on handed_on;
	ev_io io;
	ev_timer pause;
};

/* config must outlive the listener. */
void listener_start(struct listener *listener, struct session_env *env,
		    const struct listen_config *config, int fd);

/* Takes who waits already, as whoever waits at a socket that is closed is reset. */
void listener_accept_rest(struct listener *listener);
void listener_stop(struct listener *listener);

#endif
