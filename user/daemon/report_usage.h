/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON of what was used. */
#ifndef HAWSER_DAEMON_REPORT_USAGE_H
#define HAWSER_DAEMON_REPORT_USAGE_H

struct json_object;
struct usage;

/* request: "by", "link", "client" or "exit" (the default is link); "days", 1 to HISTORY_DAYS (30);
 * "name", the only one wanted, with all of its hours and days. */
struct json_object *report_usage(struct usage *usage, struct json_object *request);

#endif
