/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hawser intercept` makes rules of, as JSON. */
#ifndef HAWSER_DAEMON_REPORT_INTERCEPT_H
#define HAWSER_DAEMON_REPORT_INTERCEPT_H

#include <json-c/json.h>

#include "config/config.h"
#include "session/stats.h"

struct links;

/* What rules are made of. links: NULL when there are none; control: where this hawserd answers. The
 * caller's. */
struct json_object *report_intercept_settings(const struct config *config,
					      const struct links *links, const char *control);

/* Adds what has become of connections. sum: of all workers. */
void report_intercept_figures(struct json_object *answer, const struct stats *sum);

#endif
