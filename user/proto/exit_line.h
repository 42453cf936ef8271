/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hawser exit-setup` prints on the exit and a router takes: where the exit is, how it is
 * called, and a token for it, in one word. Pure. */
#ifndef HAWSER_PROTO_EXIT_LINE_H
#define HAWSER_PROTO_EXIT_LINE_H

#include <stdbool.h>

#include "proto/exit_place.h"
#include "proto/hop_message.h"

#define EXIT_NAME_EXPECTED  "1 to 255 of A-Z a-z 0-9 . _ : [ ] -"
#define EXIT_LINE_TOKEN_MAX 128 /* "NAME KEY" without limits, and its NUL */
#define EXIT_LINE_MAX	    800
#define EXIT_LINE_ERROR_MAX 400

struct exit_line {
	char name[HOP_EXIT_NAME_MAX + 1];
	struct exit_place place;
	char token[EXIT_LINE_TOKEN_MAX]; /* a line of a token file; the caller wipes it */
};

/* Whether an exit can be called so. */
bool exit_is_name(const char *name);

/* Reads "hawser://TOKEN:KEY@HOST:PORT/NAME"; "hawser exit-add " may stand before it, and spaces
 * around it. 0, or -EINVAL with what is wrong and what is expected in error, which never quotes the
 * key. */
int exit_line_parse(const char *text, struct exit_line *out, char error[EXIT_LINE_ERROR_MAX]);

/* Writes the word. Returns out. */
const char *exit_line_format(const struct exit_line *line, char out[EXIT_LINE_MAX]);

#endif
