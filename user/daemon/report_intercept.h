/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hawser intercept` makes rules of, as JSON. */
#ifndef HAWSER_DAEMON_REPORT_INTERCEPT_H
#define HAWSER_DAEMON_REPORT_INTERCEPT_H

#include <json-c/json.h>

#include "config/config.h"
#include "session/stats.h"

/* The caller's. sum: of all workers. */
struct json_object *report_intercept(const struct config *config, const struct stats *sum);

#endif
