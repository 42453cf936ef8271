/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser usage`: what links, exits and clients have carried. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/quantity.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "cli/table.h"

#define DAYS_MAX 90

static void add_bytes(struct table *table, struct json_object *row)
{
	const uint64_t up = json_count(row, "up"), down = json_count(row, "down");
	char figure[FIGURE_TEXT_MAX];

	table_add(table, "%s", figure_bytes(figure, down, " "));
	table_add(table, "%s", figure_bytes(figure, up, " "));
	table_add(table, "%s", figure_bytes(figure, down + up, " "));
}

static void add_total(struct table *table, struct json_object *row)
{
	table_add(table, "%s", json_text(row, "name"));
	add_bytes(table, row);
}

static void add_client(struct table *table, struct json_object *row)
{
	table_add(table, "%s", json_text(row, "name"));
	table_add(table, "%s", json_text(row, "address"));
	add_bytes(table, row);
}

static void add_day(struct table *table, struct json_object *row)
{
	table_add(table, "%s", json_text(row, "day"));
	add_bytes(table, row);
}

/* Of all, a row each. */
static void show_totals(struct json_object *answer)
{
	static const struct column columns[] = {{"NAME", COLUMN_LEFT},
						{"DOWN", COLUMN_RIGHT},
						{"UP", COLUMN_RIGHT},
						{"TOTAL", COLUMN_RIGHT}};
	static const struct column client_columns[] = {{"NAME", COLUMN_LEFT},
						       {"ADDRESS", COLUMN_LEFT},
						       {"DOWN", COLUMN_RIGHT},
						       {"UP", COLUMN_RIGHT},
						       {"TOTAL", COLUMN_RIGHT}};
	struct json_object *list = json_member(answer, "usage");

	if (strcmp(json_text(answer, "by"), "client") == 0)
		table_show(client_columns, 5, list, add_client, "clients");
	else
		table_show(columns, 4, list, add_total, json_text(answer, "by"));
}

/* Of one, a row for each day; an address may have been that of several, one after the other. */
static void show_days(struct json_object *answer, const char *name)
{
	static const struct column columns[] = {{"DAY", COLUMN_LEFT},
						{"DOWN", COLUMN_RIGHT},
						{"UP", COLUMN_RIGHT},
						{"TOTAL", COLUMN_RIGHT}};
	struct json_object *list = json_member(answer, "usage");
	const size_t count = json_length(list);

	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (count > 1 || strcmp(json_text(one, "name"), name) != 0)
			printf("%s%s\n", i > 0 ? "\n" : "", json_text(one, "name"));
		table_show(columns, 4, json_member(one, "days"), add_day, name);
	}
	if (count == 0)
		table_show(columns, 4, list, add_day, name);
}

static void check_by(const struct arguments *arguments, const char *by)
{
	static const char *const words[] = {"link", "client", "exit"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(by, words[i]) == 0)
			return;
	die_usage(arguments->command, "--by %s: expected link, client or exit", by);
}

static struct json_object *make_request(const struct arguments *arguments)
{
	struct json_object *request = json_object_new_object();
	const char *by = arguments->option[CLI_BY], *days = arguments->option[CLI_DAYS];
	uint64_t number;

	json_object_object_add(request, "command", json_object_new_string("usage"));
	if (by) {
		check_by(arguments, by);
		json_object_object_add(request, "by", json_object_new_string(by));
	}
	if (days) {
		if (!quantity_parse(days, quantity_plain, 1, 1, DAYS_MAX, &number))
			die_usage(arguments->command, "--days %s: expected a number from 1 to %d",
				  days, DAYS_MAX);
		json_object_object_add(request, "days", json_object_new_int64((int64_t)number));
	}
	if (arguments->words[0])
		json_object_object_add(request, "name",
				       json_object_new_string(arguments->words[0]));
	return request;
}

int usage_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options = CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_JSON) |
						      CLI_TAKES(CLI_BY) | CLI_TAKES(CLI_DAYS),
					   .words = "[NAME]",
					   .words_max = 1};
	struct arguments arguments;
	struct connection connection;
	struct json_object *request;
	char *line = NULL;

	arguments_parse(&arguments, command, argc, argv, &usage);
	request = make_request(&arguments);
	if (asprintf(&line, "%s\n",
		     json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN)) < 0)
		die("out of memory");
	json_object_put(request);
	control_client_open(&connection, arguments.control);
	control_client_ask_line_or_die(&connection, line);
	free(line);
	if (arguments.option[CLI_JSON])
		fwrite(connection.line, 1, connection.len, stdout);
	else if (arguments.words[0])
		show_days(connection.answer, arguments.words[0]);
	else
		show_totals(connection.answer);
	if (*json_text(connection.answer, "fault"))
		fprintf(stderr, "hawser: this is lost when hawserd stops: %s\n",
			json_text(connection.answer, "fault"));
	flush_or_die();
	control_client_close(&connection);
	return EXIT_SUCCESS;
}
