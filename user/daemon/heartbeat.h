/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the rules of `hawser intercept` that hawserd lives (a redirect, unlike TPROXY, would go on
 * without it), and which destinations to route around it (auto-bypass). The main thread's. */
#ifndef HAWSER_DAEMON_HEARTBEAT_H
#define HAWSER_DAEMON_HEARTBEAT_H

#include "config/config.h"

struct ev_loop;
struct pulse;
struct worker;

/* The workers outlive it. NULL when out of memory. */
struct pulse *pulse_open(struct ev_loop *loop, struct worker *const *workers, size_t worker_count);

/* Beats from now on, if config has transparent listeners; all workers listen on them. */
void pulse_start(struct pulse *pulse, const struct config *config);

/* New connections are routed from now on, by any method that asks. */
void pulse_stop(struct pulse *pulse);

/* Stops, too. NULL does nothing. */
void pulse_close(struct pulse *pulse);

#endif
