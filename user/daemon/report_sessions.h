/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is to say of sessions and their two directions. */
#ifndef HAWSER_DAEMON_REPORT_SESSIONS_H
#define HAWSER_DAEMON_REPORT_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct links;
struct worker;

struct crew {
	struct worker **workers;
	size_t count;
};

/* As hawser(1) says. With "limit" in the request, of no more sessions: of those that moved bytes
 * last. The caller owns the result. */
struct json_object *report_sessions(const struct crew *crew, struct json_object *request);
struct json_object *report_flows(const struct crew *crew, struct json_object *request);

/* Whether the request has the number of a session, as "id". */
bool report_session_id(struct json_object *request, uint64_t *id);

/* Of the one session whose number the request has as "id". */
struct json_object *report_one_session(const struct crew *crew, const struct links *links,
				       struct json_object *request);

#endif
