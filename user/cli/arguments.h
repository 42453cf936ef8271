/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subcommands, and the words that follow one. One table of options gives getopt and --help. */
#ifndef HAWSER_CLI_ARGUMENTS_H
#define HAWSER_CLI_ARGUMENTS_H

#include <stdbool.h>

struct command {
	const char *name;
	/* argv[0] is the name. Returns the exit code. */
	int (*run)(const struct command *command, int argc, char **argv);
	const char *summary;
};

enum cli_option {
	CLI_CONTROL,
	CLI_JSON,
	CLI_WATCH,
	CLI_LAN,
	CLI_METHOD,
	CLI_BYPASS,
	CLI_BY,
	CLI_DAYS,
	CLI_DRY_RUN,
	CLI_UNDO,
	CLI_NAME,
	CLI_ADDRESS,
	CLI_PORT,
	CLI_FORCE,
	CLI_EXIT,
	CLI_SECONDS,
	CLI_LAST,
	CLI_OPTIONS
};

#define CLI_TAKES(option) (1U << (option))

struct usage {
	unsigned int options;	/* of CLI_TAKES() */
	const char *words;	/* what follows them, for people; "": nothing */
	int words_max;		/* that may follow them */
	bool words_end_options; /* the first word and all after it are another program's */
};

struct arguments {
	const char *command;
	const char *option[CLI_OPTIONS]; /* its value, or ""; NULL: not given; --lan adds up */
	const char *control;		 /* path of the control socket */
	double watch_s;			 /* 0: --watch is not given */
	char **words;			 /* NULL-terminated */
};

/* Reads what follows a command. Ends the program after --help, and after an error. */
void arguments_parse(struct arguments *out, const struct command *command, int argc, char **argv,
		     const struct usage *usage);

/* Whether the next word of the command line is the value of this one. */
bool arguments_value_follows(const char *word);

#endif
