/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of this folder, each as the member run of struct command has it. */
#ifndef HAWSER_SETUP_COMMANDS_H
#define HAWSER_SETUP_COMMANDS_H

#include "cli/arguments.h"

int exit_setup_main(const struct command *command, int argc, char **argv);
int exit_add_main(const struct command *command, int argc, char **argv);

#endif
