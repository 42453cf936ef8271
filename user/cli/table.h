/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CLI's tables, as wide as their content, and its figures with units. */
#ifndef HAWSER_CLI_TABLE_H
#define HAWSER_CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define FIGURE_TEXT_MAX 32

struct table;

struct column {
	const char *title;
	enum { COLUMN_LEFT, COLUMN_RIGHT } align;
};

/* The columns are borrowed. Without memory the functions here end the program. */
struct table *table_new(const struct column *columns, size_t count);

/* Appends a cell, row by row. One byte must be one character wide. An empty cell shows as "-", so
 * that every row has the same number of words. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the header line and all rows to stdout, and frees the table. */
void table_print(struct table *table);

/* "1.2 GB" in powers of 1000, with gap between figure and unit. Returns out. */
const char *figure_bytes(char out[FIGURE_TEXT_MAX], uint64_t bytes, const char *gap);

/* "3 h 12 min": the two largest units, with gap between all parts. Returns out. */
const char *figure_duration(char out[FIGURE_TEXT_MAX], double seconds, const char *gap);

#endif
