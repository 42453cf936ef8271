/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small text files, read and replaced whole; and what editors and web pages do to one. */
#ifndef HAWSER_BASE_TEXT_FILE_H
#define HAWSER_BASE_TEXT_FILE_H

#include <stddef.h>
#include <sys/types.h>

struct stat;

/* All of a file, malloc'ed; a newline ends it, added if need be, and a NUL follows. *len counts the
 * newline. NULL with errno set, EFBIG if the file is longer than max bytes. */
char *text_file_read(const char *path, size_t max, size_t *len);

/* What is wrong with a text as a whole and what is expected: a byte order mark, UTF-16, a carriage
 * return alone; NULL if nothing. *line is where, from 1. */
const char *text_file_fault(const char *text, size_t len, unsigned int *line);

/* "typographic quote", "typographic dash", "space that is not ASCII" or "invisible character", if
 * one begins here, with its number of bytes; else NULL. A NUL ends the text. */
const char *text_typography(const char *at, size_t *size);

/* Replaces the file in one step: what is half written, as when the power fails, never has the name.
 * mode: of the file; like: owner, group and mode that it gets instead; NULL: none. 0 or -errno. */
int text_file_swap(const char *path, mode_t mode, const struct stat *like, const char *text);

/* Removes what one that was killed has left there. */
void text_file_sweep(const char *path);

/* The same of the file of this name in this directory, which is made if need be. */
int text_file_replace(const char *directory, const char *name, mode_t mode, const char *text);

#endif
