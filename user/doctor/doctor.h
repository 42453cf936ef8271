/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser doctor`. Looks only; mends nothing. */
#ifndef HAWSER_DOCTOR_DOCTOR_H
#define HAWSER_DOCTOR_DOCTOR_H

#include <stdbool.h>

struct command;
struct exit_place;
struct token;

/* The subcommand. Returns 1 when something is broken. */
int doctor_main(const struct command *command, int argc, char **argv);

/* The checks of an exit that hawserd need not know, by its links as far as it runs, with a token
 * that the exit shall take. Prints what was found. False when something is broken. control: the
 * path of hawserd's control socket. */
bool doctor_test_exit(const char *control, const char *name, const struct exit_place *place,
		      const struct token *token);

#endif
