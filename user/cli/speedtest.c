/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser speedtest`: has hawserd measure, shows how far it is, and the result. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/quantity.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "cli/table.h"

#define SECONDS_MIN 2
#define SECONDS_MAX 20
/* hawserd stops the test when it has not been asked for so long: this program may be killed. */
#define LEASE_S 5
#define ASK_MS	200
#define BAR	24

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static struct json_object *make_request(const struct arguments *arguments)
{
	struct json_object *request = json_object_new_object();
	struct json_object *links = json_object_new_array();
	const char *seconds = arguments->option[CLI_SECONDS];
	uint64_t number;

	json_object_object_add(request, "command", json_object_new_string("speedtest-start"));
	json_object_object_add(request, "lease", json_object_new_int(LEASE_S));
	for (char **word = arguments->words; *word; word++)
		json_object_array_add(links, json_object_new_string(*word));
	json_object_object_add(request, "links", links);
	if (arguments->option[CLI_EXIT])
		json_object_object_add(request, "exit",
				       json_object_new_string(arguments->option[CLI_EXIT]));
	if (seconds) {
		if (!quantity_parse(seconds, quantity_plain, 1, SECONDS_MIN, SECONDS_MAX, &number))
			die_usage(arguments->command,
				  "--seconds %s: expected a number from %d to %d", seconds,
				  SECONDS_MIN, SECONDS_MAX);
		json_object_object_add(request, "seconds", json_object_new_int64((int64_t)number));
	}
	return request;
}

static void ask_object(struct connection *connection, struct json_object *request)
{
	char *line = NULL;

	if (asprintf(&line, "%s\n",
		     json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN)) < 0)
		die("out of memory");
	json_object_put(request);
	control_client_ask_line_or_die(connection, line);
	free(line);
}

static void clear_bar(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void show_bar(struct json_object *answer)
{
	const double done = json_object_get_double(json_member(answer, "done"));
	const double mbit = (double)json_count(answer, "bits_per_s") / 1e6;
	char bar[BAR + 1];

	if (!isatty(STDERR_FILENO))
		return;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < (int)(done * BAR) ? '#' : '.';
	bar[BAR] = '\0';
	fprintf(stderr, "\r\033[K[%s] %3.0f %%  %s", bar, done * 100, json_text(answer, "doing"));
	if (mbit > 0)
		fprintf(stderr, "  %.1f Mbit/s", mbit);
	fflush(stderr);
}

/* Until the test is over, or Ctrl-C has stopped it. */
static void follow(struct connection *connection, uint64_t id)
{
	const struct timespec pause = {.tv_nsec = ASK_MS * 1000000L};
	bool told = false;

	for (;;) {
		control_client_ask_or_die(connection, "speedtest", id);
		if (!json_object_get_boolean(json_member(connection->answer, "running")) ||
		    json_count(connection->answer, "id") != id)
			break;
		show_bar(connection->answer);
		if (interrupted && !told) {
			control_client_ask_or_die(connection, "speedtest-stop", id);
			told = true;
			continue;
		}
		nanosleep(&pause, NULL);
	}
	clear_bar();
	if (json_count(connection->answer, "id") == 0)
		die("hawserd was started again meanwhile, and the test went with the old one");
	if (json_count(connection->answer, "id") != id)
		die("another speed test has begun meanwhile; see hawser speedtest --last");
}

static void add_rate(struct table *table, struct json_object *figure)
{
	if (!figure)
		table_add(table, "%s", "");
	else if (json_object_get_boolean(json_member(figure, "yielded")))
		table_add(table, "%s", "in-use");
	else
		table_add(table, "%.1f", (double)json_count(figure, "bits_per_s") / 1e6);
}

/* "20.1/23.4": median and p95. */
static void add_latency(struct table *table, struct json_object *of)
{
	struct json_object *latency = json_member(of, "latency");

	if (latency)
		table_add(table, "%.1f/%.1f",
			  json_object_get_double(json_member(latency, "median_ms")),
			  json_object_get_double(json_member(latency, "p95_ms")));
	else
		table_add(table, "%s", "");
}

static void add_row(struct table *table, struct json_object *row)
{
	struct json_object *down = json_member(row, "download"), *up = json_member(row, "upload");

	table_add(table, "%s", json_text(row, "name"));
	add_rate(table, down);
	add_rate(table, up);
	add_latency(table, row);
	add_latency(table, down);
	add_latency(table, up);
}

static void print_notes(struct json_object *row)
{
	static const char *const directions[] = {"download", "upload"};

	if (*json_text(row, "said"))
		printf("%s: %s\n", json_text(row, "name"), json_text(row, "said"));
	for (size_t i = 0; i < 2; i++) {
		struct json_object *figure = json_member(row, directions[i]);
		const double others = (double)json_count(figure, "others_bits_per_s") / 1e6;
		const double own = (double)json_count(figure, "bits_per_s") / 1e6;

		if (json_object_get_boolean(json_member(figure, "yielded")))
			printf("%s: %s not measured: it was in the way of others, who move %.1f "
			       "Mbit/s\n",
			       json_text(row, "name"), directions[i], others);
		else if (figure && others > 0.02 * own)
			printf("%s: %s: others moved %.1f Mbit/s beside it\n",
			       json_text(row, "name"), directions[i], others);
	}
}

static void show_result(struct json_object *result)
{
	static const struct column columns[] = {
		{"LINK", COLUMN_LEFT},	   {"DOWN/MBIT", COLUMN_RIGHT}, {"UP/MBIT", COLUMN_RIGHT},
		{"IDLE/MS", COLUMN_RIGHT}, {"DOWN/MS", COLUMN_RIGHT},	{"UP/MS", COLUMN_RIGHT},
	};
	struct json_object *rows = json_member(result, "links");
	char moved[FIGURE_TEXT_MAX];

	table_show(columns, sizeof(columns) / sizeof(columns[0]), rows, add_row, "links");
	for (size_t i = 0; i < json_length(rows); i++)
		print_notes(json_object_array_get_idx(rows, i));
	printf("exit %s; moved %s\n", json_text(result, "exit"),
	       figure_bytes(moved, json_count(result, "bytes"), " "));
}

/* Whether all that was asked for was measured, or is in use. */
static bool is_whole(struct json_object *result)
{
	struct json_object *rows = json_member(result, "links");

	for (size_t i = 0; i < json_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (*json_text(row, "said") &&
		    !json_object_get_boolean(json_member(row, "skipped")))
			return false;
	}
	return !*json_text(result, "said");
}

int speedtest_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options = CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_JSON) |
						      CLI_TAKES(CLI_EXIT) | CLI_TAKES(CLI_SECONDS) |
						      CLI_TAKES(CLI_LAST),
					   .words = "[LINK]...",
					   .words_max = 16};
	const struct sigaction interrupt = {.sa_handler = on_interrupt};
	struct arguments arguments;
	struct connection connection;
	struct json_object *result;
	bool whole;

	arguments_parse(&arguments, command, argc, argv, &usage);
	control_client_open(&connection, arguments.control);
	if (arguments.option[CLI_LAST]) {
		control_client_ask_or_die(&connection, "speedtest", 0);
	} else {
		ask_object(&connection, make_request(&arguments));
		sigaction(SIGINT, &interrupt, NULL);
		sigaction(SIGTERM, &interrupt, NULL);
		follow(&connection, json_count(connection.answer, "id"));
	}
	result = json_member(connection.answer, "last");
	if (!result)
		die("there was no speed test since hawserd started");
	whole = is_whole(result);
	if (arguments.option[CLI_JSON])
		puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
	else
		show_result(result);
	flush_or_die();
	if (*json_text(result, "said"))
		fprintf(stderr, "hawser: %s\n", json_text(result, "said"));
	control_client_close(&connection);
	return whole ? EXIT_SUCCESS : EXIT_FAILURE;
}
