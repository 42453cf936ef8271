/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/arguments.h"

#include <ctype.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/control_socket.h"
#include "cli/control_client.h"
#include "cli/die.h"

#define WATCH_DEFAULT_S 1.0
#define WATCH_MIN_S	0.1
#define WATCH_MAX_S	86400.0
#define LONG_BASE	256 /* above every short option */

static const struct row {
	const char *name;
	int has_argument; /* as getopt_long() has it */
	const char *left; /* of the help text */
	const char *help;
} rows[CLI_OPTIONS] = {
	[CLI_CONTROL] = {"control", required_argument, "--control PATH",
			 "hawserd's control socket"},
	[CLI_JSON] = {"json", no_argument, "--json", "print the answer as one line of JSON"},
	[CLI_WATCH] = {"watch", optional_argument, "--watch[=SECONDS]",
		       "ask again every second, or every SECONDS, until Ctrl-C"},
	[CLI_LAN] =
		{"lan", required_argument, "--lan IFACE,...",
		 "take connections from these interfaces, not from those in hawserd's settings"},
	[CLI_METHOD] = {"method", required_argument, "--method METHOD",
			"use tproxy, redirect or bpf, not the method in hawserd's settings"},
	[CLI_BYPASS] =
		{"bypass", no_argument, "--bypass",
		 "keep the command's connections away from hawserd, also within another run"},
	[CLI_BY] = {"by", required_argument, "--by KIND",
		    "of each link (the default), client or exit"},
	[CLI_DAYS] = {"days", required_argument, "--days N",
		      "of the last N days, 1 to 90 (default: 30)"},
	[CLI_DRY_RUN] = {"dry-run", no_argument, "--dry-run",
			 "show what would be done, do nothing"},
	[CLI_UNDO] = {"undo", no_argument, "--undo", "take back what was done"},
	[CLI_NAME] = {"name", required_argument, "--name NAME", "the exit's name"},
	[CLI_ADDRESS] = {"address", required_argument, "--address HOST",
			 "where routers find it: a name or an IP address"},
	[CLI_PORT] = {"port", required_argument, "--port PORT", "the TCP port that it listens on"},
	[CLI_FORCE] = {"force", no_argument, "--force", "also if a check fails"},
	[CLI_EXIT] = {"exit", required_argument, "--exit NAME",
		      "measure against this exit (default: the one that sessions go by)"},
	[CLI_SECONDS] = {"seconds", required_argument, "--seconds N",
			 "of each measurement, 2 to 20 (default: 6)"},
	[CLI_LAST] = {"last", no_argument, "--last", "show the last result, measure nothing"},
};

static char default_control[PATH_MAX];

__attribute__((noreturn)) static void print_help(const struct command *command,
						 const struct usage *usage)
{
	printf("usage: hawser %s [OPTION]...%s%s\n\n%c%s.\n\n", command->name,
	       *usage->words ? " " : "", usage->words, toupper(command->summary[0]),
	       command->summary + 1);
	for (int i = 0; i < CLI_OPTIONS; i++) {
		if (!(usage->options & CLI_TAKES(i)))
			continue;
		printf("  %-17s  %s", rows[i].left, rows[i].help);
		if (i == CLI_CONTROL)
			printf(" (default: %s)", default_control);
		putchar('\n');
	}
	puts("  -h, --help         print this text");
	exit(EXIT_SUCCESS);
}

/* text: "" where --watch has no value. */
static double parse_seconds(const char *command, const char *text)
{
	char *end = NULL;
	double seconds = *text ? strtod(text, &end) : WATCH_DEFAULT_S;

	/* Written so that NaN is refused too. */
	if ((*text && *end != '\0') || !(seconds >= WATCH_MIN_S && seconds <= WATCH_MAX_S))
		die_usage(command, "--watch=%s: expected a number of seconds from %g to %g", text,
			  WATCH_MIN_S, WATCH_MAX_S);
	return seconds;
}

/* A list that is continued. */
static const char *join(const char *list, const char *more)
{
	static char *joined;
	char *old = joined;

	if (!list)
		return more;
	if (asprintf(&joined, "%s,%s", list, more) < 0)
		die("out of memory");
	free(old);
	return joined;
}

/* code: what getopt_long() returned. */
__attribute__((noreturn)) static void refuse(const char *command, int code, const char *word)
{
	if (code == ':')
		die_usage(command, "%s: expected a value: %s", word, rows[optopt - LONG_BASE].left);
	if (optopt >= LONG_BASE)
		die_usage(command, "%s: expected no value", word);
	die_usage(command, "there is no option %s", word);
}

void arguments_parse(struct arguments *out, const struct command *command, int argc, char **argv,
		     const struct usage *usage)
{
	struct option longs[CLI_OPTIONS + 2] = {{"help", no_argument, NULL, 'h'}};
	size_t count = 1;
	const char **option;
	int code;

	control_default_path(default_control, sizeof(default_control));
	*out = (struct arguments){.command = command->name};
	for (int i = 0; i < CLI_OPTIONS; i++)
		if (usage->options & CLI_TAKES(i))
			longs[count++] = (struct option){rows[i].name, rows[i].has_argument, NULL,
							 LONG_BASE + i};
	opterr = 0;
	optind = 0; /* begin anew, also for a second command line */
	while ((code = getopt_long(argc, argv, usage->words_end_options ? "+:h" : ":h", longs,
				   NULL)) != -1) {
		if (code == 'h')
			print_help(command, usage);
		if (code < LONG_BASE)
			refuse(command->name, code, argv[optind - 1]);
		option = &out->option[code - LONG_BASE];
		*option = !optarg			    ? ""
			  : option == &out->option[CLI_LAN] ? join(*option, optarg)
							    : optarg;
	}
	out->words = argv + optind;
	out->control = out->option[CLI_CONTROL] ? out->option[CLI_CONTROL] : default_control;
	if (strlen(out->control) > CONNECTION_PATH_MAX)
		die_usage(command->name, "--control %s: expected at most %zu bytes", out->control,
			  CONNECTION_PATH_MAX);
	if (out->option[CLI_WATCH])
		out->watch_s = parse_seconds(command->name, out->option[CLI_WATCH]);
	if (out->words[0] && strcmp(out->words[0], "help") == 0 && !usage->words_end_options)
		print_help(command, usage);
	if (argc - optind > usage->words_max)
		die_usage(command->name, "unexpected \"%s\"", out->words[usage->words_max]);
}

bool arguments_value_follows(const char *word)
{
	for (int i = 0; i < CLI_OPTIONS; i++)
		if (rows[i].has_argument == required_argument && strncmp(word, "--", 2) == 0 &&
		    strcmp(word + 2, rows[i].name) == 0)
			return true;
	return false;
}
