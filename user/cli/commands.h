/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of this folder, each as the member run of struct command has it. */
#ifndef HAWSER_CLI_COMMANDS_H
#define HAWSER_CLI_COMMANDS_H

#include "cli/arguments.h"

/* status, sessions, session, flows, links, exits and reload: one question to hawserd, and its
 * answer. */
int ask_main(const struct command *command, int argc, char **argv);

int top_main(const struct command *command, int argc, char **argv);
int intercept_main(const struct command *command, int argc, char **argv);
int run_main(const struct command *command, int argc, char **argv);
int usage_main(const struct command *command, int argc, char **argv);
int speedtest_main(const struct command *command, int argc, char **argv);
int upgrade_main(const struct command *command, int argc, char **argv);
int token_main(const struct command *command, int argc, char **argv);

#endif
