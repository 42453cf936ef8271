/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

void (*die_prepare)(void);

void die(const char *format, ...)
{
	va_list arguments;

	if (die_prepare)
		die_prepare();
	fputs("hawser: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void die_usage(const char *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "hawser: %s%s", command ? command : "", command ? ": " : "");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\ntry: hawser help%s%s\n", command ? " " : "", command ? command : "");
	exit(EXIT_USAGE);
}

void flush_or_die(void)
{
	if (fflush(stdout) || ferror(stdout))
		die("standard output: %s", strerror(errno));
}
