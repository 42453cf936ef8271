/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser upgrade`: asks for another hawserd, and waits until it answers. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/die.h"

#define WAIT_S	    20
#define STARTED_S   2 /* by then it has been started */
#define ELSEWHERE_S 8 /* by then it has the control socket, if it wants it */
#define EACH_MS	    200

/* Who has the control socket. */
struct holder {
	uint64_t pid; /* 0: nobody, or whoever does not answer */
	bool is_old;  /* as far as we know, and in charge */
};

/* What the keeper has started. */
struct kept {
	bool has_old;
	uint64_t newest; /* 0: /proc does not tell */
};

static struct holder ask(const char *path, uint64_t old)
{
	struct connection connection;
	struct holder holder = {0};

	if (control_client_try(&connection, path) && !control_client_ask(&connection, "status", 0))
		holder.pid = json_count(connection.answer, "pid");
	holder.is_old = holder.pid ? holder.pid == old && !json_object_get_boolean(json_member(
								  connection.answer, "draining"))
				   : connection.err == 0;
	control_client_close(&connection);
	return holder;
}

static struct kept look(uint64_t keeper, uint64_t old)
{
	struct kept kept = {0};
	char path[64];
	char *word = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/task/%" PRIu64 "/children", keeper, keeper);
	file = fopen(path, "re");
	if (!file)
		return kept;
	/* The oldest first, and some may drain since an upgrade before. */
	while (getdelim(&word, &size, ' ', file) > 0) {
		kept.newest = strtoull(word, NULL, 10);
		kept.has_old = kept.has_old || kept.newest == old;
	}
	free(word);
	fclose(file);
	return kept;
}

/* The process number of the new one. elsewhere: it does not answer on the path. */
static uint64_t await(const char *path, uint64_t keeper, uint64_t old, bool *elsewhere)
{
	const struct timespec pause = {.tv_nsec = EACH_MS * 1000000L};
	const double begin_s = clock_monotonic_s();
	double now_s = begin_s;
	double in_charge_s = begin_s; /* the old one was */

	while (now_s < begin_s + WAIT_S) {
		struct holder holder;
		struct kept kept;

		nanosleep(&pause, NULL);
		holder = ask(path, old);
		*elsewhere = !holder.pid || holder.pid == old;
		if (!*elsewhere)
			return holder.pid;
		kept = look(keeper, old);
		now_s = clock_monotonic_s();
		if (kept.newest == old && now_s > begin_s + STARTED_S)
			die("the new hawserd has ended before it served, and the old one goes on; "
			    "its log says why");
		/* The keeper has the old one let go when the new one serves. */
		if (!kept.newest || kept.newest == old || (kept.has_old && holder.is_old))
			in_charge_s = now_s;
		if (now_s > in_charge_s + ELSEWHERE_S)
			return kept.newest;
	}
	die("no other hawserd has taken over within %d s, and the old one goes on; its log says "
	    "why",
	    WAIT_S);
}

int upgrade_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options = CLI_TAKES(CLI_CONTROL), .words = ""};
	struct arguments arguments;
	struct connection connection;
	bool elsewhere;
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
	pid = await(arguments.control, keeper, old, &elsewhere);
	printf("hawserd %" PRIu64 " has taken over from %" PRIu64 "\n", pid, old);
	if (elsewhere)
		printf("it does not answer on %s: its configuration may name another control "
		       "socket\n",
		       arguments.control);
	flush_or_die();
	return EXIT_SUCCESS;
}
