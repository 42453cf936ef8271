/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the CLI ends when it cannot go on. */
#ifndef HAWSER_CLI_DIE_H
#define HAWSER_CLI_DIE_H

#include <stdarg.h>

/* "hawser: MESSAGE" on standard error, on a terminal that is as it was before. */
void die_complain(const char *format, va_list arguments);

/* The same, then exit code 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
