/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "web/web_question.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/quantity.h"
#include "http/http_server.h"

enum { LIMIT, ID, DAYS, BY, NAME, ARGUMENTS };
#define TAKES(argument) (1u << (argument))

static const struct {
	const char *command;
	unsigned int takes;
} commands[] = {
	{"status", 0},
	{"links", 0},
	{"rates", 0},
	{"exits", 0},
	{"events", 0},
	{"doctor", 0},
	/* An id would keep a test going whose own client is gone. */
	{"speedtest", 0},
	{"session", TAKES(ID)},
	{"sessions", TAKES(LIMIT)},
	{"flows", TAKES(LIMIT)},
	{"usage", TAKES(DAYS) | TAKES(BY) | TAKES(NAME)},
};

static const struct {
	const char *name;
	uint64_t most; /* of a number; 0: it is a text */
	const char *expected;
	const char *not_taken;
} arguments[ARGUMENTS] = {
	[LIMIT] = {"limit", WEB_SESSIONS_MAX, "limit: expected a number from 1 to 1000\n",
		   "limit: expected with sessions or flows only\n"},
	[ID] = {"id", INT64_MAX, "id: expected the number of a session\n",
		"id: expected with session only\n"},
	[DAYS] = {"days", 90, "days: expected a number from 1 to 90\n",
		  "days: expected with usage only\n"},
	[BY] = {"by", 0, NULL, "by: expected with usage only\n"},
	[NAME] = {"name", 0, NULL, "name: expected with usage only\n"},
};

/* NULL, or what is wrong with it. */
static const char *add_argument(struct json_object *question, unsigned int takes, size_t i,
				const char *text)
{
	struct json_object *value;
	uint64_t number;

	if (!(takes & TAKES(i)))
		return arguments[i].not_taken;
	if (arguments[i].most == 0)
		value = json_object_new_string(text);
	else if (quantity_parse(text, quantity_plain, 1, 1, arguments[i].most, &number))
		value = json_object_new_int64((int64_t)number);
	else
		return arguments[i].expected;
	json_object_object_add(question, arguments[i].name, value);
	return NULL;
}

struct json_object *web_question(const struct http_call *request, const char *command,
				 const char **problem)
{
	struct json_object *question;
	size_t at = 0;

	while (at < sizeof(commands) / sizeof(*commands) &&
	       strcmp(commands[at].command, command) != 0)
		at++;
	*problem = at < sizeof(commands) / sizeof(*commands) ? NULL : WEB_QUESTION_UNKNOWN;
	question = *problem ? NULL : json_object_new_object();
	if (question && commands[at].takes & TAKES(LIMIT))
		json_object_object_add(question, "limit",
				       json_object_new_int64(WEB_SESSIONS_MAX / 5));
	for (size_t i = 0; question && !*problem && i < ARGUMENTS; i++) {
		const char *text = http_call_argument(request, arguments[i].name);

		if (text)
			*problem = add_argument(question, commands[at].takes, i, text);
	}
	if (*problem) {
		json_object_put(question);
		question = NULL;
	}
	return question;
}
