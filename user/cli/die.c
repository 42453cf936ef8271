/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the CLI ends when it cannot go on. */
#include "cli/die.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/top.h"

void die_complain(const char *format, va_list arguments)
{
	top_leave();
	fputs("hawser: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	die_complain(format, arguments);
	va_end(arguments);
	exit(EXIT_FAILURE);
}
