/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser intercept`: puts the rules into force that send a LAN's connections to hawserd, takes
 * them back, shows them. For the CLI: prints, and complains to standard error. */
#ifndef HAWSER_INTERCEPT_INTERCEPT_H
#define HAWSER_INTERCEPT_INTERCEPT_H

#include <stdbool.h>

struct json_object;

/* All return an exit code. settings is hawserd's answer to "intercept". */

/* lan, an array of names, and method replace what the settings say; NULL leaves it. */
int intercept_up(struct json_object *settings, struct json_object *lan, const char *method);

/* Needs no hawserd. */
int intercept_down(void);

/* settings is NULL when no hawserd answers, and silence says why. */
int intercept_show(struct json_object *settings, const char *silence, bool json);

#endif
