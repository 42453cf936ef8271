/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pieces of ours in files of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "setup/text_block.h"

#define BLOCK(body) "# hawser x: begin\n" body "# hawser x: end\n"

static void becomes(const char *text, const char *body, const char *expected)
{
	char *made = text_block_set(text, "x", body);

	assert_string_equal(made, expected);
	free(made);
}

static void comes_at_the_end(void **state)
{
	(void)state;
	becomes("", "a\n", BLOCK("a\n"));
	becomes("other\n", "a\n", "other\n" BLOCK("a\n"));
	becomes("no newline", "a\n", "no newline\n" BLOCK("a\n"));
}

static void is_replaced_where_it_is(void **state)
{
	(void)state;
	becomes("before\n" BLOCK("a\nb\n") "after\n", "c\n", "before\n" BLOCK("c\n") "after\n");
	becomes("before\n" BLOCK("a\n"), "a\n", "before\n" BLOCK("a\n"));
}

static void leaves_the_rest(void **state)
{
	(void)state;
	becomes("before\n" BLOCK("a\n") "after\n", NULL, "before\nafter\n");
	becomes(BLOCK("a\n"), NULL, "");
	becomes("none\n", NULL, "none\n");
}

/* Names are whole, and what has no end is not ours to cut. */
static void is_not_taken_for_another(void **state)
{
	(void)state;
	becomes("# hawser xy: begin\nq\n# hawser xy: end\n", NULL,
		"# hawser xy: begin\nq\n# hawser xy: end\n");
	becomes("# hawser x: begin\nq\n", NULL, "# hawser x: begin\nq\n");
	becomes("say # hawser x: begin\nq\n# hawser x: end\n", NULL,
		"say # hawser x: begin\nq\n# hawser x: end\n");
}

static void has(const char *text, const char *expected)
{
	char *body = text_block_get(text, "x");

	assert_string_equal(body, expected);
	free(body);
}

static void is_read(void **state)
{
	(void)state;
	has("before\n" BLOCK("a\nb\n") "after\n", "a\nb\n");
	has(BLOCK(""), "");
	has("# hawser x: begin\na\n# hawser x: end", "a\n");
	has("", "");
	has("# hawser x: begin\nq\n", "");
	has("# hawser xy: begin\nq\n# hawser xy: end\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_at_the_end), cmocka_unit_test(is_replaced_where_it_is),
		cmocka_unit_test(leaves_the_rest),  cmocka_unit_test(is_not_taken_for_another),
		cmocka_unit_test(is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
