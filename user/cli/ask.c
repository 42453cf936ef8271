/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to hawserd, once or again and again, and its answer. */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "cli/show.h"

static const struct question {
	const char *command;
	void (*show)(struct json_object *answer);
	bool takes_id;
	bool once;
	bool judges;	 /* fails unless hawserd is ready */
	bool with_exits; /* people want to know, too, whether sessions have an exit */
} questions[] = {
	{.command = "status", .show = show_status, .with_exits = true},
	{.command = "sessions", .show = show_sessions},
	{.command = "session", .show = show_session, .takes_id = true},
	{.command = "flows", .show = show_flows},
	{.command = "links", .show = show_links, .with_exits = true},
	{.command = "exits", .show = show_exits},
	{.command = "ready", .show = show_ready, .once = true, .judges = true},
	{.command = "reload", .show = show_reload, .once = true},
	{.command = "kill", .show = show_killed, .takes_id = true, .once = true},
};

static uint64_t parse_id(const char *command, const char *text)
{
	uint64_t id = text ? strtoull(text, NULL, 10) : 0;

	/* json-c has no larger integer that every program reads. */
	if (id == 0 || id > INT64_MAX || text[strspn(text, "0123456789")])
		die_usage(command,
			  "%s: expected the ID of a session, as 'hawser sessions' shows it",
			  text ? text : "no ID");
	return id;
}

/* False: hawserd is not as it should be. */
static bool ask(const struct arguments *arguments, const struct question *question, uint64_t id,
		struct connection *connection)
{
	bool ok;

	control_client_ask_or_die(connection, question->command, id);
	ok = !question->judges || json_object_get_boolean(json_member(connection->answer, "ready"));
	if (arguments->watch_s > 0 && isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	if (arguments->option[CLI_JSON])
		fwrite(connection->line, 1, connection->len, stdout);
	else
		question->show(connection->answer);
	if (question->with_exits && !arguments->option[CLI_JSON] &&
	    !control_client_ask(connection, "exits", 0))
		show_exits_summary(connection->answer);
	flush_or_die();
	return ok;
}

static void leave_watch(int signal_number)
{
	(void)signal_number;
	_exit(EXIT_SUCCESS);
}

int ask_main(const struct command *command, int argc, char **argv)
{
	const struct question *question = questions;
	struct usage usage = {.options = CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_JSON), .words = ""};
	struct arguments arguments;
	struct connection connection;
	struct timespec pause;
	uint64_t id = 0;
	bool ok;

	while (strcmp(question->command, command->name) != 0)
		question++;
	if (!question->once)
		usage.options |= CLI_TAKES(CLI_WATCH);
	if (question->takes_id) {
		usage.words = "ID";
		usage.words_max = 1;
	}
	arguments_parse(&arguments, command, argc, argv, &usage);
	if (question->takes_id)
		id = parse_id(command->name, arguments.words[0]);
	if (arguments.watch_s > 0)
		signal(SIGINT, leave_watch);
	pause.tv_sec = (time_t)arguments.watch_s;
	pause.tv_nsec = (long)((arguments.watch_s - (double)pause.tv_sec) * 1e9);
	control_client_open(&connection, arguments.control);
	ok = ask(&arguments, question, id, &connection);
	while (arguments.watch_s > 0) {
		nanosleep(&pause, NULL);
		(void)ask(&arguments, question, id, &connection);
	}
	control_client_close(&connection);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
