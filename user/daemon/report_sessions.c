/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_sessions.h"

#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "daemon/report_links.h"
#include "daemon/report_put.h"
#include "daemon/worker.h"
#include "session/stats.h"

static struct json_object *report_session(const struct session_row *row)
{
	struct json_object *session = json_object_new_object();
	char client[ADDRESS_TEXT_MAX];

	put_count(session, "id", row->id);
	put_text(session, "client", address_format(&row->client, client));
	put_text(session, "user", row->user);
	put_text(session, "destination", row->destination);
	put_text(session, "exit", row->exit);
	put_text(session, "state", row->state);
	put_text(session, "protocol", protocol_name(row->protocol));
	put_text(session, "client_transport", transport_name(row->client_transport));
	put_count(session, "client_subflows", row->client_subflows);
	put_text(session, "upstream_transport", transport_name(row->server_transport));
	put_count(session, "upstream_subflows", row->server_subflows);
	put_text(session, "tier_up", row->up.tier);
	put_text(session, "tier_down", row->down.tier);
	put_count(session, "tick_up_us", row->up.tick_us);
	put_count(session, "tick_down_us", row->down.tick_us);
	put_count(session, "bytes_up", row->up.bytes);
	put_count(session, "bytes_down", row->down.bytes);
	put_seconds(session, "age_s", row->age_s);
	put_seconds(session, "idle_s", row->idle_s);
	return session;
}

static struct json_object *report_flow(const struct session_row *session, const char *direction,
				       const struct flow_row *row)
{
	struct json_object *flow = json_object_new_object();

	put_count(flow, "session", session->id);
	put_text(flow, "direction", direction);
	put_text(flow, "tier", row->tier);
	put_text(flow, "reason", row->reason);
	put_count(flow, "tick_us", row->tick_us);
	put_count(flow, "bytes", row->bytes);
	put_count(flow, "held", row->held);
	put_count(flow, "redirected", row->redirected);
	put_count(flow, "passed", row->passed);
	put_count(flow, "granted", row->granted);
	put_count(flow, "entries", row->entries);
	put_count(flow, "exits", row->exits);
	put_count(flow, "packets", row->packets);
	return flow;
}

static void append_session(struct json_object *list, const struct session_row *row)
{
	append(list, report_session(row));
}

static void append_flows(struct json_object *list, const struct session_row *row)
{
	append(list, report_flow(row, "up", &row->up));
	append(list, report_flow(row, "down", &row->down));
}

/* "id" of a session, "session" of a flow. */
static uint64_t session_id(const void *element)
{
	struct json_object *const *row = element;
	struct json_object *id = json_object_object_get(*row, "id");

	return json_object_get_uint64(id ? id : json_object_object_get(*row, "session"));
}

static const char *direction_of(const void *element)
{
	struct json_object *const *row = element;
	const char *direction = json_object_get_string(json_object_object_get(*row, "direction"));

	return direction ? direction : "";
}

/* Of one session, "up" before "down". */
static int compare_rows(const void *a, const void *b)
{
	if (session_id(a) != session_id(b))
		return session_id(a) < session_id(b) ? -1 : 1;
	return strcmp(direction_of(b), direction_of(a));
}

/* Who moved bytes last comes first. */
static int compare_idle(const void *a, const void *b)
{
	const struct session_row *one = a;
	const struct session_row *other = b;

	return (one->idle_s > other->idle_s) - (one->idle_s < other->idle_s);
}

/* Of all workers, most of each at most; the caller frees it. NULL without memory or without
 * sessions. */
static struct session_row *all_sessions(const struct crew *crew, size_t most, size_t *count,
					size_t *there)
{
	struct session_row *all = NULL;

	*count = *there = 0;
	for (size_t i = 0; i < crew->count; i++) {
		size_t more = 0;
		struct session_row *rows =
			worker_get_sessions(crew->workers[i], most, &more, there);
		struct session_row *grown =
			more > 0 ? reallocarray(all, *count + more, sizeof(*all)) : NULL;

		if (grown) {
			memcpy(grown + *count, rows, more * sizeof(*rows));
			all = grown;
			*count += more;
		}
		free(rows);
	}
	return all;
}

/* {name: [what add made of each session]}, in the order of their numbers. With "limit" in the
 * request, of no more sessions, those that moved bytes last; then "count" is how many there are. */
static struct json_object *
report_rows(const struct crew *crew, struct json_object *request, const char *name,
	    void (*add)(struct json_object *, const struct session_row *))
{
	struct json_object *answer;
	struct json_object *list;
	struct json_object *limit = NULL;
	struct session_row *rows;
	size_t count, there;
	size_t most = SIZE_MAX;

	if (json_object_object_get_ex(request, "limit", &limit)) {
		if (!json_object_is_type(limit, json_type_int) || json_object_get_int64(limit) < 1)
			return json_error("\"limit\": expected a number of sessions, 1 or more");
		most = (size_t)json_object_get_int64(limit);
	}
	answer = json_object_new_object();
	list = json_object_new_array();
	rows = all_sessions(crew, most, &count, &there);
	if (count > most)
		qsort(rows, count, sizeof(*rows), compare_idle);
	for (size_t i = 0; i < count && i < most; i++)
		add(list, &rows[i]);
	free(rows);
	if (list)
		json_object_array_sort(list, compare_rows);
	put(answer, name, list);
	if (limit)
		put_count(answer, "count", there);
	return answer;
}

struct json_object *report_sessions(const struct crew *crew, struct json_object *request)
{
	return report_rows(crew, request, "sessions", append_session);
}

struct json_object *report_flows(const struct crew *crew, struct json_object *request)
{
	return report_rows(crew, request, "flows", append_flows);
}

bool report_session_id(struct json_object *request, uint64_t *id)
{
	struct json_object *number = json_object_object_get(request, "id");

	*id = json_object_get_uint64(number);
	return json_object_is_type(number, json_type_int);
}

/* Of the one session whose number the request has as "id". */
struct json_object *report_one_session(const struct crew *crew, const struct links *links,
				       struct json_object *request)
{
	struct session_detail *detail = calloc(1, sizeof(*detail));
	struct json_object *answer = NULL;
	uint64_t id;
	const bool asked = report_session_id(request, &id);
	bool found = false;

	for (size_t i = 0; asked && detail && i < crew->count && !found; i++)
		found = worker_get_session(crew->workers[i], id, detail);
	if (found) {
		answer = json_object_new_object();
		put(answer, "session", report_session(&detail->row));
		put(answer, "subflows", report_subflows(detail, links));
	} else if (asked) {
		answer = json_error(detail ? "no such session" : "out of memory");
	} else {
		answer = json_error("no \"id\"; expected {\"command\":\"session\",\"id\":1}");
	}
	free(detail);
	return answer;
}
