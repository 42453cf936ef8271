/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resources of the HTTP server: /metrics, the page, and JSON below /api/, the same as by the
 * control socket and to be read only. Main thread. */
#ifndef HAWSER_WEB_WEB_H
#define HAWSER_WEB_WEB_H

#include <stdbool.h>
#include <stddef.h>

struct auth_penalty;
struct config;
struct ev_loop;
struct exposition;
struct json_object;
struct web;

struct web_source {
	/* As control_answer_fn. */
	struct json_object *(*answer)(void *context, const char *command,
				      struct json_object *request);
	void (*metrics)(void *context, struct exposition *out);
	void *context;
	struct auth_penalty *penalty; /* outlives it */
};

/* Serves nobody yet. NULL when out of memory. */
struct web *web_open(struct ev_loop *loop, const struct web_source *source);
void web_close(struct web *web); /* NULL is allowed */

/* From now on config holds, which is borrowed, and these sockets, which stay the caller's, are
 * listened on; of several that are the same one, one. Without any, all connections are ended; with
 * fds NULL though count is not 0 (out of memory), it is logged, none are listened on, and
 * connections go on. */
void web_configure(struct web *web, const struct config *config, const int *fds, size_t count);

/* Takes no connections any more, and ends each that there is after its next answer. */
void web_drain(struct web *web);

/* Whether somebody is being answered, has asked, or has connected to ask for the first time. */
bool web_is_asked(const struct web *web);

#endif
