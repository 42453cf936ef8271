/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is no plain text, and where; what comes from a word processor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/text_file.h"

#define BYTES(text) (text), sizeof(text) - 1

static void test_fault(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		unsigned int line;
		const char *says; /* NULL: nothing */
	} cases[] = {
		{BYTES(""), 1, NULL},
		{BYTES("\n"), 1, NULL},
		{BYTES("a\nb\r\n"), 1, NULL},
		{BYTES("a\0b\n"), 1, NULL},
		{BYTES("\xc3\xa9\n"), 1, NULL},
		{BYTES("\xef\xbb\n"), 1, NULL},
		{BYTES("\xef\xbb\xbf"), 1, "byte order mark"},
		{BYTES("\xff\xfe"), 1, "UTF-16"},
		{BYTES("\xfe\xff\0a"), 1, "UTF-16"},
		{BYTES("\xff\xfe\0\0"), 1, "UTF-16"},
		{BYTES("a\0\n\0"), 1, "UTF-16"},
		{BYTES("\0a\0\n"), 1, "UTF-16"},
		{BYTES("a\rb\rc\r\n"), 1, "carriage return alone"},
		{BYTES("a\r\nb\n\r\rc\n"), 3, "carriage return alone"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned int line;
		const char *fault = text_file_fault(cases[i].text, cases[i].len, &line);

		assert_int_equal(fault != NULL, cases[i].says != NULL);
		if (!fault || !cases[i].says)
			continue;
		assert_non_null(strstr(fault, cases[i].says));
		assert_non_null(strstr(fault, "expected"));
		assert_int_equal(line, cases[i].line);
	}
}

static void test_typography(void **state)
{
	static const struct {
		const char *text;
		const char *what; /* NULL: nothing */
		size_t size;
	} cases[] = {
		{"\u201cx", "typographic quote", 3},
		{"\u2019", "typographic quote", 3},
		{"\u201e", "typographic quote", 3},
		{"\u00ab", "typographic quote", 2},
		{"\u203a", "typographic quote", 3},
		{"\u2013", "typographic dash", 3},
		{"\u2212", "typographic dash", 3},
		{"\u00a0", "space that is not ASCII", 2},
		{"\u202f", "space that is not ASCII", 3},
		{"\u200b", "invisible character", 3},
		{"\ufeff", "invisible character", 3},
		{"", NULL, 0},
		{"\"", NULL, 0},
		{"'-", NULL, 0},
		{"x\u201c", NULL, 0},
		{"\u00e9", NULL, 0},
		{"\u2026", NULL, 0},
		{"\xe2\x80", NULL, 0},
		{"\xe2", NULL, 0},
		{"\xc2", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t size = 0;
		const char *what = text_typography(cases[i].text, &size);

		assert_int_equal(what != NULL, cases[i].what != NULL);
		assert_int_equal(size, cases[i].size);
		if (what)
			assert_string_equal(what, cases[i].what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_typography),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
