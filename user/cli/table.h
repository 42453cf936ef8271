/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CLI's tables, as wide as their content, and its figures with units. */
#ifndef HAWSER_CLI_TABLE_H
#define HAWSER_CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define FIGURE_TEXT_MAX 32

struct json_object;
struct table;

struct column {
	const char *title;
	enum { COLUMN_LEFT, COLUMN_RIGHT } align;
};

/* Appends the cells of a row to the table. */
typedef void table_row_fn(struct table *table, struct json_object *row);

/* Prints a header line and a row for each object of an array to stdout; what it is that there is
 * none of, to stderr. Without memory it ends the program. */
void table_show(const struct column *columns, size_t count, struct json_object *list,
		table_row_fn *add, const char *what);

/* Appends a cell. One byte must be one character wide. An empty cell shows as "-", so that every
 * row has the same number of words. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "1.2 GB" in powers of 1000, with gap between figure and unit. Returns out. */
const char *figure_bytes(char out[FIGURE_TEXT_MAX], uint64_t bytes, const char *gap);

/* "3 h 12 min": the two largest units, with gap between all parts. Returns out. */
const char *figure_duration(char out[FIGURE_TEXT_MAX], double seconds, const char *gap);

#endif
