/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a small text file whole. */
#ifndef HAWSER_BASE_TEXT_FILE_H
#define HAWSER_BASE_TEXT_FILE_H

#include <stddef.h>

/* All of a file, malloc'ed; a newline ends it, added if need be, and a NUL follows. *len counts the
 * newline. NULL with errno set, EFBIG if the file is longer than max bytes. */
char *text_file_read(const char *path, size_t max, size_t *len);

#endif
