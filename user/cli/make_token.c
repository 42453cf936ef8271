/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser token new`. It asks no daemon, so tokens can be made anywhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cli/commands.h"
#include "cli/die.h"
#include "proto/token.h"

int token_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.words = "new NAME", .words_max = 2};
	struct arguments arguments;
	char line[TOKEN_LINE_MAX];
	const char *name;

	arguments_parse(&arguments, command, argc, argv, &usage);
	if (!arguments.words[0] || strcmp(arguments.words[0], "new") != 0 || !arguments.words[1])
		die_usage(command->name, "expected: new NAME");
	name = arguments.words[1];
	if (!token_is_name(name))
		die_usage(command->name,
			  "\"%s\" is no name for a token; expected 1 to %d characters of "
			  "A-Z a-z 0-9 . _ -",
			  name, TOKEN_NAME_MAX);
	if (sodium_init() < 0)
		die("libsodium finds no source of random numbers");
	token_new_line(name, line);
	puts(line);
	sodium_memzero(line, sizeof(line));
	flush_or_die();
	return EXIT_SUCCESS;
}
