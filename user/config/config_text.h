/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks a configuration file before libconfuse reads it. */
#ifndef HAWSER_CONFIG_CONFIG_TEXT_H
#define HAWSER_CONFIG_CONFIG_TEXT_H

#include <stddef.h>

/* Blanks the comments and refuses what libconfuse would misread or pass over in silence: strings,
 * comments and braces that never end, stray bytes, escapes other than of a quote or a backslash,
 * environment variables, empty strings. text[0..len) is as text_file_read() made it. 0, or
 * -EINVAL after logging. */
int config_text_prepare(const char *path, char *text, size_t len);

#endif
