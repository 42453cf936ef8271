/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of `hawser run`, which takes nothing: takes the place of run_redirect.c in a
 * build without BPF. */
#include "intercept/run_redirect.h"

#include "base/json.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

static struct run_steer {
	char unused;
} off;

struct run_steer *run_steer_open(struct ev_loop *loop, bool is_off)
{
	return &off;
}

void run_steer_close(struct run_steer *steer)
{
}

void run_steer_listen(struct run_steer *steer, const struct config *config)
{
}

struct json_object *run_steer_answer(struct run_steer *steer, struct json_object *request)
{
	return json_error("hawserd was built without BPF");
}

bool run_steer_take(struct run_steer *steer, const union address *client, union address *to)
{
	return false;
}
