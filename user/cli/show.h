/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's answers for people, on stdout. Asks nobody. */
#ifndef HAWSER_CLI_SHOW_H
#define HAWSER_CLI_SHOW_H

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
void show_reload(struct json_object *answer);

/* A line that says how many exits are up; nothing without exits. */
void show_exits_summary(struct json_object *answer);

/* Of the exits of an answer, how many are up. */
size_t count_exits_up(struct json_object *answer);

#endif
