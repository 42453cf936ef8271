/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's answers for people, on stdout. Asks nobody. */
#ifndef HAWSER_CLI_SHOW_H
#define HAWSER_CLI_SHOW_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

/* Missing members show as 0, "-" or nothing, so that daemon and CLI of different versions get
 * along. */
void show_status(struct json_object *answer);
void show_sessions(struct json_object *answer);
void show_flows(struct json_object *answer);
void show_exits(struct json_object *answer);
void show_session(struct json_object *answer);
void show_links(struct json_object *answer);
void show_ready(struct json_object *answer);
void show_reload(struct json_object *answer);
void show_killed(struct json_object *answer);

#define EXITS_TROUBLE_MAX 128
/* Says what becomes of new sessions when no exit takes them, or not all do. False and "": all is
 * well.
 */
bool exits_trouble(struct json_object *answer, char *out, size_t size);

/* A line that says how many exits are up; nothing without exits. */
void show_exits_summary(struct json_object *answer);

/* Of the exits of an answer, how many are up. */
size_t count_exits_up(struct json_object *answer);

#endif
