/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a configuration or password file, before anyone asks what they mean. */
#ifndef HAWSER_CONFIG_TEXT_H
#define HAWSER_CONFIG_TEXT_H

#include <stddef.h>

/* All of a file, malloc'ed; a newline ends it, added if need be, and a NUL follows. *len counts the
 * newline. NULL with errno set, EFBIG if the file is longer than max bytes. */
char *config_text_read(const char *path, size_t max, size_t *len);

/* Blanks the comments and refuses what libconfuse would misread or pass over in silence: strings,
 * comments and braces that never end, stray bytes, escapes other than of a quote or a backslash,
 * environment variables, empty strings. text[0..len) is as config_text_read() made it. 0, or
 * -EINVAL after logging. */
int config_text_prepare(const char *path, char *text, size_t len);

#endif
