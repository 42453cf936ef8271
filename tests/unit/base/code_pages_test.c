/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of code go, nothing that was written to does, and what is used comes again. */
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/code_pages.h"

static int sum;
static const char *const relocated[] = {"one", "two"}; /* the loader has written here */
static char written[] = "as it was";

static int touch(struct dl_phdr_info *object, size_t size, void *data)
{
	(void)size;
	(void)data;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		const volatile char *from = (const char *)(object->dlpi_addr + part->p_vaddr);

		if (part->p_type == PT_LOAD && part->p_flags & PF_R && !(part->p_flags & PF_W))
			for (size_t at = 0; at < part->p_filesz; at += 4096)
				sum += from[at];
	}
	return 0;
}

/* Counted page by page; what /proc/self/status says is late by up to 64 before 6.2. -1: unknown. */
static long resident_kib(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[128];
	long kib = -1;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "Rss:", 4) == 0)
			kib = strtol(line + 4, NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

static void they_go_and_come(void **state)
{
	long before, after;

	(void)state;
	dl_iterate_phdr(touch, NULL);
	before = resident_kib();
	if (before < 0)
		skip(); /* no /proc */
	written[0] = 'A';
	code_pages_forget();
	after = resident_kib();
	assert_true(after < before);
	assert_string_equal(written, "As it was");
	assert_string_equal(relocated[1], "two");
	dl_iterate_phdr(touch, NULL);
	assert_true(resident_kib() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(they_go_and_come)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
