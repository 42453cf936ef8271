/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's answers about speed tests, as JSON: speedtest, speedtest-start and
 * speedtest-stop. */
#ifndef HAWSER_DAEMON_REPORT_SPEED_H
#define HAWSER_DAEMON_REPORT_SPEED_H

struct config;
struct json_object;
struct links;
struct speed;

/* How the test goes, and the last result. With a member "id" it renews that test's lease. */
struct json_object *report_speed(struct speed *speed, struct json_object *request);

struct json_object *answer_speed_start(struct speed *speed, const struct config *config,
				       struct links *links, struct json_object *request);
struct json_object *answer_speed_stop(struct speed *speed, struct json_object *request);

#endif
