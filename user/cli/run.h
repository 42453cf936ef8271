/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser run`: a command in a cgroup of its own, to whose end it stays. Complains to standard
 * error. */
#ifndef HAWSER_CLI_RUN_H
#define HAWSER_CLI_RUN_H

#include <stdbool.h>

/* Asks hawserd to take the connections of a cgroup. Returns only when it does. */
typedef void run_ask_fn(void *context, const char *cgroup);

/* words: the command, NULL-terminated. ask is not called with bypass. Returns the exit code: the
 * command's, 128 and the signal that ended it, 126 or 127 when it cannot be executed, else
 * EXIT_FAILURE. */
int run_command(char **words, bool bypass, run_ask_fn *ask, void *context);

#endif
