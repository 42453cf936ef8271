/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of tokens, one a line: an exit's has many, a router's has the one for its exit. */
#ifndef HAWSER_AUTH_TOKEN_FILE_H
#define HAWSER_AUTH_TOKEN_FILE_H

#include <stddef.h>

#include "proto/token.h"

struct token_set {
	char *path;
	struct token *token;
	size_t count;
};

/* Empty lines and those that begin with # are passed over; there may be no others. A file that
 * others than owner and group can read or write is refused. 0, or a negative errno after logging
 * one line that names the file, and the line where there is one. */
int token_file_read(const char *path, struct token_set *out);

/* Wipes the keys. */
void token_set_free(struct token_set *set);

/* NULL if there is none; name need not be NUL-terminated. */
const struct token *token_set_find(const struct token_set *set, const char *name, size_t len);

#endif
