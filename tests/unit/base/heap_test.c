/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What takes memory, by the process's own count of pages. */
#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TABLES	    64
#define TABLE_BYTES ((size_t)60 * 1024)

static size_t resident_bytes(void)
{
	char text[128]; /* its size, and what of it is in memory; pages */
	FILE *file = fopen("/proc/self/statm", "re");

	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_non_null(strchr(text, ' '));
	return strtoul(strchr(text, ' '), NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static const uint8_t zeros[TABLE_BYTES];

/* Tables that nothing has been written to. */
static size_t taken_by(void *tables[static TABLES])
{
	const size_t before = resident_bytes();

	for (size_t i = 0; i < TABLES; i++) {
		tables[i] = calloc(1, TABLE_BYTES);
		assert_non_null(tables[i]);
	}
	return resident_bytes() - before;
}

static void give_back(void *tables[static TABLES])
{
	for (size_t i = 0; i < TABLES; i++)
		free(tables[i]);
}

/* The heap has memory that was used before, which calloc() must fill with zeros. */
static void soil_heap(void)
{
	void *tables[TABLES];
	void *above;

	for (size_t i = 0; i < TABLES; i++) {
		tables[i] = malloc(TABLE_BYTES);
		assert_non_null(tables[i]);
		memset(tables[i], 1, TABLE_BYTES);
	}
	above = malloc(64); /* so that it stays the heap's */
	give_back(tables);
	free(above);
}

static void tables_cost_nothing_until_they_are_used(void **state)
{
	void *tables[TABLES];

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its allocator is another */
#endif
	soil_heap();
	heap_keep_tables(true);
	assert_true(taken_by(tables) < TABLES * TABLE_BYTES / 4);
	for (size_t i = 0; i < TABLES; i++)
		assert_memory_equal(tables[i], zeros, TABLE_BYTES);
	give_back(tables);
	heap_keep_tables(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_cost_nothing_until_they_are_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
