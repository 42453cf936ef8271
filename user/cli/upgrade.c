/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser upgrade`: asks for another hawserd, and waits until it answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/control_ask.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/die.h"

#define TRIES	      100
#define STARTED_TRIES 5 /* by then it has been started */
#define EACH_MS	      200

/* 0: nobody answers at the moment. */
static uint64_t find_pid(const char *path)
{
	struct json_object *status = control_ask(path, "{\"command\":\"status\"}\n");
	const uint64_t pid = json_count(status, "pid");

	json_object_put(status);
	return pid;
}

/* Of the process that has started them, as far as /proc tells; -1: it does not. */
static int count_hawserds(uint64_t keeper)
{
	char path[64];
	char text[256] = "";
	FILE *file;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/task/%" PRIu64 "/children", keeper, keeper);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (!fgets(text, sizeof(text), file))
		*text = '\0';
	fclose(file);
	for (const char *c = text; *c; c++)
		count += *c == ' ';
	return count;
}

int upgrade_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options = CLI_TAKES(CLI_CONTROL), .words = ""};
	const struct timespec pause = {.tv_nsec = EACH_MS * 1000000L};
	struct arguments arguments;
	struct connection connection;
	uint64_t keeper;
	uint64_t old;
	uint64_t pid;

	arguments_parse(&arguments, command, argc, argv, &usage);
	control_client_open(&connection, arguments.control);
	control_client_ask_or_die(&connection, "status", 0);
	old = json_count(connection.answer, "pid");
	control_client_ask_or_die(&connection, "upgrade", 0);
	keeper = json_count(connection.answer, "keeper");
	control_client_close(&connection);
	for (int i = 0; i < TRIES; i++) {
		nanosleep(&pause, NULL);
		pid = find_pid(arguments.control);
		if (pid && pid != old) {
			printf("hawserd %" PRIu64 " has taken over from %" PRIu64 "\n", pid, old);
			flush_or_die();
			return EXIT_SUCCESS;
		}
		if (i >= STARTED_TRIES && count_hawserds(keeper) == 1)
			die("the new hawserd has ended before it served, and the old one goes on; "
			    "its log says why");
	}
	die("no other hawserd has taken over within %d s, and the old one goes on; its log says "
	    "why",
	    TRIES * EACH_MS / 1000);
}
