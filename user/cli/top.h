/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hawser top: a full-screen view of links, sessions and one session's subflows (ncurses). */
#ifndef HAWSER_CLI_TOP_H
#define HAWSER_CLI_TOP_H

#include <stdint.h>

struct json_object;

/* Asks the daemon; id is 0 but for "session". The caller owns one reference; NULL when the daemon
 * answers with an error. Ends the program when it does not answer. */
typedef struct json_object *top_ask_fn(void *context, const char *command, uint64_t id);

/* Shows and refreshes until q or a signal, then gives the terminal back. */
void top_run(top_ask_fn *ask, void *context, double refresh_s);

/* Gives the terminal back at once, for an error message; nothing if top_run() does not run. */
void top_leave(void);

#endif
