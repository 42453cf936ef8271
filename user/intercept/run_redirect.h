/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of `hawser run`, and the only user of the skeleton of bpf/run.bpf.c: has the
 * connections of a cgroup come to a transparent listener, and knows where they wanted to go. */
#ifndef HAWSER_INTERCEPT_RUN_REDIRECT_H
#define HAWSER_INTERCEPT_RUN_REDIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "config/config.h"

struct ev_loop;
struct json_object;
struct run_redirect;

/* Loads nothing before it is needed; off: never. NULL without memory. */
struct run_redirect *run_redirect_open(struct ev_loop *loop, bool off);

/* Not before the workers have stopped. NULL is allowed. */
void run_redirect_close(struct run_redirect *steer);

/* Tells it the listeners of config; NULL: there are none any more, and connections that start from
 * now on are left alone. */
void run_redirect_listen(struct run_redirect *steer, const struct config *config);

/* The answer to a request {"command":"run","cgroup":DIRECTORY,"netns":COOKIE}: which families are
 * taken, or why none is. Holds until the cgroup is gone. NULL without memory. */
struct json_object *run_redirect_answer(struct run_redirect *steer, struct json_object *request);

/* Whether the client that was accepted is one of ours; fills to then, once. Any thread. */
bool run_redirect_take(struct run_redirect *steer, const union address *client, union address *to);

#endif
