/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser top` of a build without ncurses (make TOP=0): takes the place of top.c. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"

int top_main(const struct command *command, int argc, char **argv)
{
	(void)command;
	(void)argc;
	(void)argv;
	fputs("hawser: built without top; 'hawser --watch=1 sessions' shows the same without "
	      "ncurses\n",
	      stderr);
	return EXIT_FAILURE;
}
