/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the rules of `hawser intercept` that hawserd lives (a redirect, unlike TPROXY, would go on
 * without it), and which destinations to route around it (auto-bypass). The main thread's. */
#ifndef HAWSER_DAEMON_HEARTBEAT_H
#define HAWSER_DAEMON_HEARTBEAT_H

#include <stdbool.h>

#include "config/config.h"

struct ev_loop;
struct heartbeat;
struct worker;

/* The workers outlive it. NULL when out of memory. */
struct heartbeat *heartbeat_open(struct ev_loop *loop, struct worker *const *workers,
				 size_t worker_count);

/* Beats from now on, if config has transparent listeners; all workers listen on them. Of families
 * that it has no more, new connections are routed. */
void heartbeat_start(struct heartbeat *heartbeat, const struct config *config);

/* New connections are routed from now on, by any method that asks. */
void heartbeat_stop(struct heartbeat *heartbeat);

/* No first packet is dropped any more to be held. */
void heartbeat_hold_no_more(const struct heartbeat *heartbeat);

/* Stops, but says no more than that, as another hawserd beats. */
void heartbeat_leave(struct heartbeat *heartbeat);

/* paused: says no more that hawserd lives, so that new connections are routed; the rest goes on.
 * Else says it at once, as to rules that have been loaded anew. */
void heartbeat_pause(struct heartbeat *heartbeat, bool paused);

/* Rules bring nothing more, also of what they have brought: ends it (session_end_taken()), as a
 * kernel that knows a socket of ours forwards no packet for it, and the client would wait. */
void heartbeat_end_taken(struct heartbeat *heartbeat);

/* Stops, too. NULL does nothing. */
void heartbeat_close(struct heartbeat *heartbeat);

#endif
