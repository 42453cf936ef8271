/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of `hawser run`, which takes nothing: takes the place of run_redirect.c in a
 * build without BPF. */
#include "intercept/run_redirect.h"

#include "base/json.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

static struct run_redirect {
	char unused;
} off;

struct run_redirect *run_redirect_open(struct ev_loop *loop, bool is_off)
{
	return &off;
}

void run_redirect_close(struct run_redirect *steer)
{
}

void run_redirect_listen(struct run_redirect *steer, const struct config *config)
{
}

struct json_object *run_redirect_answer(struct run_redirect *steer, struct json_object *request)
{
	return json_error("hawserd was built without BPF");
}

bool run_redirect_take(struct run_redirect *steer, const union address *client, union address *to)
{
	return false;
}
