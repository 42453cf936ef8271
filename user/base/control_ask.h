/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to a hawserd that may be about to go. */
#ifndef HAWSER_BASE_CONTROL_ASK_H
#define HAWSER_BASE_CONTROL_ASK_H

struct json_object;

/* question: a line of the control socket at path. The answer, the caller's; NULL: there is none
 * within a second. */
struct json_object *control_ask(const char *path, const char *question);

#endif
