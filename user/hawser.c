/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CLI: finds the subcommand and hands over. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/standard_fds.h"
#include "cli/commands.h"
#include "cli/die.h"
#include "doctor/doctor.h"
#include "setup/commands.h"

static int help_main(const struct command *command, int argc, char **argv);
static int version_main(const struct command *command, int argc, char **argv);

static const struct command commands[] = {
	{"status", ask_main,
	 "show hawserd's version, listeners, totals, errors, and what the kernel offers"},
	{"sessions", ask_main, "show a row for each session"},
	{"session", ask_main, "show one session, with a row for each of its subflows"},
	{"flows", ask_main, "show two rows for each session: how its bytes are moved, and why"},
	{"links", ask_main, "show a row for each link, and what happened to them last"},
	{"exits", ask_main, "show a row for each exit: whether it answers, and why it last failed"},
	{"usage", usage_main,
	 "show what each link, client or exit has carried, or NAME day by day"},
	{"speedtest", speedtest_main,
	 "measure what each link, and all together, carry to the exit and back"},
	{"ready", ask_main, "fail unless hawserd answers and takes new sessions; for scripts"},
	{"reload", ask_main,
	 "have hawserd read its configuration again, and say what is wrong in it"},
	{"kill", ask_main, "end a session: both of its sides are reset"},
	{"upgrade", upgrade_main,
	 "have another hawserd, of the program as it is now, take over; sessions go on"},
	{"top", top_main, "show links, sessions and subflows on the whole screen; q quits"},
	{"doctor", doctor_main,
	 "check this host, its links, its exits and HOST:PORT step by step, and say what mends "
	 "them"},
	{"intercept", intercept_main,
	 "send a LAN's connections to hawserd (up), stop that (down), or show how it stands "
	 "(show)"},
	{"run", run_main, "run a command whose TCP connections go through hawserd"},
	{"token", token_main, "print a fresh token, for the token files of exit and router"},
	{"exit-setup", exit_setup_main,
	 "make this machine an exit, and print the line for the router; --undo takes it back"},
	{"exit-add", exit_add_main, "take an exit by the line that exit-setup printed there"},
	{"help", help_main, "print this text, or the help of COMMAND"},
	{"version", version_main, "print the version"},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	die_usage(NULL, "there is no command \"%s\"", name);
}

static int help_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.words = "[COMMAND]", .words_max = 1};
	struct arguments arguments;

	arguments_parse(&arguments, command, argc, argv, &usage);
	if (arguments.words[0]) {
		char *words[] = {arguments.words[0], "--help", NULL};

		command = find_command(words[0]);
		return command->run(command, 2, words);
	}
	puts("usage: hawser COMMAND [OPTION]... [ARGUMENT]...\n\ncommands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s  %s\n", commands[i].name, commands[i].summary);
	puts("\n'hawser help COMMAND' lists the options of a command.");
	return EXIT_SUCCESS;
}

static int version_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.words = ""};
	struct arguments arguments;

	arguments_parse(&arguments, command, argc, argv, &usage);
	puts("hawser " HAWSER_VERSION);
	return EXIT_SUCCESS;
}

/* Options may also come before the command: puts them behind it. */
static void command_first(char **argv)
{
	int at = 1;
	char *command;

	while (argv[at] && argv[at][0] == '-')
		at += arguments_value_follows(argv[at]) && argv[at + 1] ? 2 : 1;
	command = argv[at];
	if (!command)
		return;
	memmove(&argv[2], &argv[1], (size_t)(at - 1) * sizeof(*argv));
	argv[1] = command;
}

int main(int argc, char **argv)
{
	const struct command *command;

	standard_fds_open();
	/* `hawser sessions | head` ends in silence, and who waits for a child hears of its end,
	 * whatever was inherited. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	/* One write per answer, so that --watch does not flicker. */
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	if (argc < 2)
		die_usage(NULL, "there is no command");
	command_first(argv);
	command = find_command(argv[1]);
	return command->run(command, argc - 1, argv + 1);
}
