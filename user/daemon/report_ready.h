/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether new sessions would be served. */
#ifndef HAWSER_DAEMON_REPORT_READY_H
#define HAWSER_DAEMON_REPORT_READY_H

#include <stdbool.h>

struct config;
struct json_object;

/* The object {"ready", "reason"}; reason is "" when it is. NULL without memory. */
struct json_object *report_ready(const struct config *config, bool draining);

#endif
