/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON of links and of a session's subflows. */
#ifndef HAWSER_DAEMON_REPORT_LINKS_H
#define HAWSER_DAEMON_REPORT_LINKS_H

struct json_object;
struct links;
struct on_event;
struct session_detail;

/* {"links": […], "events": […]}; links may be NULL. The caller owns one reference. */
struct json_object *report_links(const struct links *links);

/* How fast each has been: [seconds ago, received, sent] of the last minute and the last hour, the
 * oldest first. Bytes a second. */
struct json_object *report_rates(const struct links *links);

/* Adds "fault", "put_back", "last" and "last_age_s"; links may be NULL. */
void report_links_upkeep(struct json_object *object, const struct links *links);

/* An array. */
struct json_object *report_subflows(struct session_detail *detail, const struct links *links);

/* What has happened to links, and what else was told, oldest first. Both may be NULL. */
struct json_object *report_events(const struct links *links, const struct on_event *on_event);

#endif
