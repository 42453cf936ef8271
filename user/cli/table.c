/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/die.h"

struct table {
	const struct column *columns;
	size_t column_count;
	size_t cell_count;
	int *widths;
	FILE *stream; /* into cells: all cells, each with its NUL */
	char *cells;
	size_t cells_len;
};

static void *need(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

void table_add(struct table *table, const char *format, ...)
{
	int *width = &table->widths[table->cell_count % table->column_count];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vfprintf(table->stream, format, arguments);
	va_end(arguments);
	if (len == 0)
		len = fprintf(table->stream, "-");
	fputc('\0', table->stream);
	table->cell_count++;
	if (*width < len)
		*width = len;
}

static void table_print(const struct table *table)
{
	const char *cell = table->cells;

	for (size_t i = 0; i < table->cell_count; i++) {
		size_t at = i % table->column_count;
		bool last = at == table->column_count - 1;
		int width = table->widths[at];

		if (table->columns[at].align == COLUMN_RIGHT)
			printf("%*s", width, cell);
		else
			printf("%-*s", last ? 0 : width, cell);
		fputs(last ? "\n" : "  ", stdout);
		cell += strlen(cell) + 1;
	}
}

void table_show(const struct column *columns, size_t count, struct json_object *list,
		table_row_fn *add, const char *what)
{
	struct table table = {.columns = columns, .column_count = count};

	table.widths = need(calloc(count, sizeof(*table.widths)));
	table.stream = need(open_memstream(&table.cells, &table.cells_len));
	for (size_t i = 0; i < count; i++)
		table_add(&table, "%s", columns[i].title);
	for (size_t i = 0; i < json_length(list); i++)
		add(&table, json_object_array_get_idx(list, i));
	if (fclose(table.stream))
		need(NULL);
	table_print(&table);
	free(table.cells);
	free(table.widths);
	if (json_length(list) > 0)
		return;
	fflush(stdout);
	fprintf(stderr, "hawser: no %s\n", what);
}

const char *figure_bytes(char out[FIGURE_TEXT_MAX], uint64_t bytes, const char *gap)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double figure = (double)bytes;
	size_t unit = 0;

	/* What would be rounded to 1000 is 1.0 of the next unit. */
	while (figure >= (unit ? 999.95 : 1000)) {
		figure /= 1000;
		unit++;
	}
	snprintf(out, FIGURE_TEXT_MAX, "%.*f%s%s", unit ? 1 : 0, figure, gap, units[unit]);
	return out;
}

const char *figure_duration(char out[FIGURE_TEXT_MAX], double seconds, const char *gap)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	uint64_t whole = seconds > 0 ? (uint64_t)seconds : 0;
	size_t i = 0;

	while (i < 3 && whole < units[i].seconds)
		i++;
	if (i == 3)
		snprintf(out, FIGURE_TEXT_MAX, "%llu%ss", (unsigned long long)whole, gap);
	else
		snprintf(out, FIGURE_TEXT_MAX, "%llu%s%s%s%llu%s%s",
			 (unsigned long long)(whole / units[i].seconds), gap, units[i].name, gap,
			 (unsigned long long)(whole % units[i].seconds / units[i + 1].seconds), gap,
			 units[i + 1].name);
	return out;
}
