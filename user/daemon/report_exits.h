/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of the exits that a router uses, and of the tokens that an exit takes, as JSON. */
#ifndef HAWSER_DAEMON_REPORT_EXITS_H
#define HAWSER_DAEMON_REPORT_EXITS_H

struct config;
struct json_object;

/* The caller owns one reference; NULL when out of memory. */
struct json_object *report_exits(const struct config *config);
struct json_object *report_tokens(const struct config *config);

#endif
