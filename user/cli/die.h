/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the CLI ends when it cannot go on. */
#ifndef HAWSER_CLI_DIE_H
#define HAWSER_CLI_DIE_H

/* Called before anything is printed, so that top can give the terminal back; NULL: nothing is. */
extern void (*die_prepare)(void);

/* Prints "hawser: MESSAGE" to standard error; exit code 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The command line is wrong: prints "hawser: COMMAND: MESSAGE" and a hint where help is; exit
 * code 2. command: NULL for none. */
void die_usage(const char *command, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* Ends the program when standard output does not take what was printed. */
void flush_or_die(void);

#endif
