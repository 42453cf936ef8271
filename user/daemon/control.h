/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: JSON lines over a unix stream socket of mode 0600. Carries answers, does not
 * make them. */
#ifndef HAWSER_DAEMON_CONTROL_H
#define HAWSER_DAEMON_CONTROL_H

#define CONTROL_CLIENTS_MAX 16 /* at once; one more is told so and closed */

struct control;
struct ev_loop;
struct json_object;

/* Given the "command" member of a request line, and the whole of it; returns the answer, which
 * control owns then, or NULL when out of memory. */
typedef struct json_object *control_answer_fn(void *context, const char *command,
					      struct json_object *request);

/* Listens on path, replacing a stale socket there (one that nobody answers). NULL on error, with
 * errno set: EADDRINUSE when another process answers on path, ENOTSOCK when path is no socket (it
 * is left alone), or what the system said. The directory is made if missing (mode 0755), its
 * parents are not. Slow or silent clients cost a bounded amount of memory and never block the loop.
 */
struct control *control_open(struct ev_loop *loop, const char *path, control_answer_fn *answer,
			     void *context);

/* Drops the clients and removes the socket, unless another one is on its path by now. NULL is
 * allowed. */
void control_close(struct control *control);

#endif
