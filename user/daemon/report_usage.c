/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_usage.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/json.h"
#include "daemon/report_put.h"
#include "daemon/usage.h"
#include "history/history.h"
#include "net/neighbours.h"

#define DAYS_DEFAULT 30

struct question {
	enum history_kind by;
	uint32_t days;
	const char *name; /* NULL: all */
	struct history_time now;
	/* Of a client's name that is an address: as it is kept, and who has it now; "": nobody. */
	char address[ADDRESS_TEXT_MAX];
	char mac[MAC_TEXT_MAX];
};

/* The kernel may know a client by an address that is not the last one it was seen with. */
static void find_client(struct question *question)
{
	struct destination destination;
	struct neighbours neighbours;

	if (destination_from_host(&destination, question->name, strlen(question->name), 1) ||
	    destination.host[0])
		return;
	question->name = address_format_ip(&destination.address, question->address);
	(void)neighbours_load(&neighbours);
	(void)neighbours_find(&neighbours, &destination.address, question->mac);
	neighbours_free(&neighbours);
}

/* NULL, or what is wrong with it. */
static const char *read_question(struct json_object *request, struct question *out)
{
	struct json_object *days = json_member(request, "days");
	const char *by = json_text(request, "by");

	*out = (struct question){.by = HISTORY_LINK,
				 .days = DAYS_DEFAULT,
				 .now = history_time_at(clock_calendar_ms())};
	if (*by)
		for (out->by = 0; history_kind_words[out->by]; out->by++)
			if (strcmp(by, history_kind_words[out->by]) == 0)
				break;
	if (out->by == HISTORY_KINDS)
		return "unexpected \"by\"; expected link, exit or client";
	if (days && (!json_object_is_type(days, json_type_int) || json_object_get_int64(days) < 1 ||
		     json_object_get_int64(days) > HISTORY_DAYS))
		return "unexpected \"days\"; expected 1 to 90";
	if (days)
		out->days = (uint32_t)json_object_get_int64(days);
	if (*json_text(request, "name"))
		out->name = json_text(request, "name");
	if (out->name && out->by == HISTORY_CLIENT)
		find_client(out);
	return NULL;
}

static struct json_object *report_slot(enum history_unit unit, uint32_t label,
				       struct history_bytes bytes)
{
	struct json_object *object = json_object_new_object();
	char day[HISTORY_DAY_TEXT_MAX];

	if (unit == HISTORY_DAY) {
		history_day_text(label, day);
		put_text(object, "day", day);
	} else {
		put_count(object, "time", (uint64_t)label * 3600);
	}
	put_count(object, "up", bytes.up);
	put_count(object, "down", bytes.down);
	return object;
}

/* Those that are not empty, the oldest first. */
static struct json_object *report_slots(const struct history_series *series, enum history_unit unit,
					uint32_t now, uint32_t last)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t ago = last; ago-- > 0;) {
		const uint32_t label = now - ago;
		const struct history_bytes bytes = history_sum(series, unit, label, 1);

		if (bytes.up > 0 || bytes.down > 0)
			append(list, report_slot(unit, label, bytes));
	}
	return list;
}

static struct json_object *report_series(const struct history_series *series,
					 const struct question *question)
{
	struct json_object *object = json_object_new_object();
	const struct history_bytes sum =
		history_sum(series, HISTORY_DAY, question->now.day, question->days);

	put_text(object, "name", series->name);
	put_text(object, "address", series->address);
	put_count(object, "up", sum.up);
	put_count(object, "down", sum.down);
	if (question->name) {
		put(object, "days",
		    report_slots(series, HISTORY_DAY, question->now.day, question->days));
		put(object, "hours",
		    report_slots(series, HISTORY_HOUR, question->now.hour, HISTORY_HOURS));
	}
	return object;
}

static uint64_t total_of(const void *element)
{
	struct json_object *const *object = element;

	return json_count(*object, "up") + json_count(*object, "down");
}

static int compare(const void *a, const void *b)
{
	return (total_of(a) < total_of(b)) - (total_of(a) > total_of(b));
}

/* By its name, or by an address. */
static bool is_wanted(const struct history_series *series, const struct question *question)
{
	return !question->name || strcmp(series->name, question->name) == 0 ||
	       strcmp(series->name, question->mac) == 0 ||
	       (*series->address && strcmp(series->address, question->name) == 0);
}

static struct json_object *report_list(const struct history *history,
				       const struct question *question)
{
	struct json_object *list = json_object_new_array();
	size_t count;
	const struct history_series *all = history_list(history, question->by, &count);

	for (size_t i = 0; i < count; i++) {
		const struct history_bytes sum =
			history_sum(&all[i], HISTORY_DAY, question->now.day, question->days);

		if (is_wanted(&all[i], question) && (sum.up > 0 || sum.down > 0))
			append(list, report_series(&all[i], question));
	}
	if (list)
		json_object_array_sort(list, compare);
	return list;
}

struct json_object *report_usage(struct usage *usage, struct json_object *request)
{
	const struct history *history = usage_history(usage);
	struct question question;
	const char *problem = read_question(request, &question);
	struct json_object *answer;
	char since[HISTORY_DAY_TEXT_MAX];

	if (!history)
		return json_error("nothing is kept: history = no");
	if (problem)
		return json_error(problem);
	answer = json_object_new_object();
	history_day_text(question.now.day - question.days + 1, since);
	put_text(answer, "by", history_kind_words[question.by]);
	put_count(answer, "days", question.days);
	put_text(answer, "since", since);
	put_text(answer, "fault", usage_fault(usage));
	put(answer, "usage", report_list(history, &question));
	return answer;
}
