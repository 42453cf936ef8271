/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/doctor_record.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "daemon/report_put.h"

static void begin(struct doctor_record *record)
{
	json_object_put(record->coming);
	record->coming = json_object_new_array();
}

static void end(struct doctor_record *record, const char *verdict)
{
	json_object_put(record->checks);
	record->checks = record->coming;
	record->coming = NULL;
	snprintf(record->verdict, sizeof(record->verdict), "%s", verdict);
	record->at_s = clock_monotonic_s();
	record->time_s = (double)clock_calendar_ms() / 1e3;
}

struct json_object *doctor_record_take(struct doctor_record *record, struct json_object *request)
{
	struct json_object *check = json_member(request, "check");

	if (json_member(request, "begin"))
		begin(record);
	else if (!record->coming)
		return json_error("no \"begin\" before it");
	else if (check && json_length(record->coming) < DOCTOR_CHECKS_MAX)
		append(record->coming, json_object_get(check));
	else if (!check)
		end(record, json_text(request, "verdict"));
	return json_object_new_object();
}

struct json_object *doctor_record_report(const struct doctor_record *record)
{
	struct json_object *answer = json_object_new_object();

	put_seconds(answer, "time", record->time_s);
	put_seconds(answer, "age_s", record->at_s > 0 ? clock_monotonic_s() - record->at_s : 0);
	put_text(answer, "verdict", record->verdict);
	put(answer, "checks",
	    record->checks ? json_object_get(record->checks) : json_object_new_array());
	return answer;
}

void doctor_record_free(struct doctor_record *record)
{
	json_object_put(record->coming);
	json_object_put(record->checks);
	*record = (struct doctor_record){0};
}
