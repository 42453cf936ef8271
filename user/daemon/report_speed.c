/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's answers about speed tests. */
#include "daemon/report_speed.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "daemon/report_put.h"
#include "speed/speed.h"

#define LEASE_MAX_S 600

_Static_assert(LINKS_MAX == 16 && SPEED_MEASURE_MIN_S == 2 && SPEED_MEASURE_MAX_S == 20,
	       "texts below say so");

static void put_rate(struct json_object *object, const char *key, double bytes_per_s)
{
	put_count(object, key, (uint64_t)(bytes_per_s * 8));
}

static struct json_object *report_latency(const struct speed_latency *latency)
{
	struct json_object *object;

	if (latency->count == 0)
		return NULL;
	object = json_object_new_object();
	put_seconds(object, "median_ms", latency->median_ms);
	put_seconds(object, "p95_ms", latency->p95_ms);
	put_count(object, "exchanges", latency->count);
	return object;
}

static struct json_object *report_figure(const struct speed_figure *figure)
{
	struct json_object *object;

	if (!figure->measured && !figure->yielded)
		return NULL;
	object = json_object_new_object();
	put(object, "yielded", json_object_new_boolean(figure->yielded));
	if (figure->measured)
		put_rate(object, "bits_per_s", figure->bytes_per_s);
	put_rate(object, "others_bits_per_s", figure->others_per_s);
	put(object, "latency", report_latency(&figure->latency));
	return object;
}

static struct json_object *report_row(const struct speed_row *row)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "name", row->name);
	put(object, "together", json_object_new_boolean(row->together));
	put(object, "skipped", json_object_new_boolean(row->skipped));
	put_text(object, "said", row->said);
	put(object, "latency", report_latency(&row->idle));
	put(object, "download", report_figure(&row->figures[DOWN]));
	put(object, "upload", report_figure(&row->figures[UP]));
	return object;
}

static struct json_object *report_result(const struct speed_result *result)
{
	struct json_object *object = json_object_new_object();
	struct json_object *rows = json_object_new_array();

	put_seconds(object, "time", result->time_s);
	put_text(object, "exit", result->exit);
	put_count(object, "seconds", result->seconds);
	put(object, "stopped", json_object_new_boolean(result->stopped));
	put_text(object, "said", result->said);
	put_count(object, "bytes", result->bytes);
	put_count(object, "bytes_left_today", result->left);
	for (size_t i = 0; i < result->count; i++)
		append(rows, report_row(&result->rows[i]));
	put(object, "links", rows);
	return object;
}

struct json_object *report_speed(struct speed *speed, struct json_object *request)
{
	struct json_object *answer = json_object_new_object();
	const uint64_t id = json_count(request, "id");
	struct speed_view view;

	speed_renew(speed, id);
	speed_look(speed, &view);
	put(answer, "running", json_object_new_boolean(view.running));
	put_count(answer, "id", view.id);
	if (view.running) {
		put_seconds(answer, "done", view.done);
		put_text(answer, "doing", view.doing);
		put_rate(answer, "bits_per_s", view.bytes_per_s);
		put_count(answer, "bytes", view.bytes);
	}
	put(answer, "last", view.last ? report_result(view.last) : NULL);
	return answer;
}

/* NULL, or what is wrong. */
static const char *read_links(struct json_object *list, struct speed_order *order)
{
	const size_t count = json_length(list);

	if (list && (!json_object_is_type(list, json_type_array) || count > LINKS_MAX))
		return "links: expected an array of at most 16 names";
	for (size_t i = 0; i < count; i++) {
		struct json_object *name = json_object_array_get_idx(list, i);

		if (!json_object_is_type(name, json_type_string))
			return "links: expected an array of names";
		order->names[order->name_count++] = json_object_get_string(name);
	}
	return NULL;
}

/* A whole number from least to most, or standard where there is none; else false. */
static bool read_number(struct json_object *request, const char *key, int64_t least, int64_t most,
			int64_t standard, int64_t *out)
{
	struct json_object *member = json_member(request, key);

	*out = member ? json_object_get_int64(member) : standard;
	return !member ||
	       (json_object_is_type(member, json_type_int) && *out >= least && *out <= most);
}

static const char *read_order(struct json_object *request, struct speed_order *order)
{
	struct json_object *exit = json_member(request, "exit");
	int64_t seconds, lease_s;

	if (exit && !json_object_is_type(exit, json_type_string))
		return "exit: expected the name of an exit";
	order->exit = exit ? json_object_get_string(exit) : NULL;
	if (!read_number(request, "seconds", SPEED_MEASURE_MIN_S, SPEED_MEASURE_MAX_S,
			 SPEED_SECONDS_DEFAULT, &seconds))
		return "seconds: expected a number from 2 to 20";
	if (!read_number(request, "lease", 1, LEASE_MAX_S, 0, &lease_s))
		return "lease: expected a number of seconds from 1 to 600";
	order->seconds = (unsigned int)seconds;
	order->lease_s = (double)lease_s;
	return read_links(json_member(request, "links"), order);
}

struct json_object *answer_speed_start(struct speed *speed, const struct config *config,
				       struct links *links, struct json_object *request)
{
	struct speed_order order = {.name_count = 0};
	const char *wrong = read_order(request, &order);
	char said[SPEED_SAID_MAX];
	struct json_object *answer;
	uint64_t id;

	if (wrong)
		return json_error(wrong);
	if (speed_start(speed, config, links, &order, &id, said))
		return json_error(said);
	answer = json_object_new_object();
	put_count(answer, "id", id);
	return answer;
}

struct json_object *answer_speed_stop(struct speed *speed, struct json_object *request)
{
	struct json_object *answer = json_object_new_object();
	const bool ran = speed_stop(speed, json_count(request, "id"), "by request");

	put(answer, "stopped", json_object_new_boolean(ran));
	return answer;
}
