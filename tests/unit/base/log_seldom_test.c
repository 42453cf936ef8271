/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others cause as often as they like is told so many times a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log_seldom.h"

static double now_s = 1.;

double __wrap_clock_monotonic_s(void);
double __wrap_clock_monotonic_s(void)
{
	return now_s;
}

static unsigned int lines_of(struct log_seldom *seldom, unsigned int tries)
{
	unsigned int lines = 0;

	while (tries--)
		lines += log_seldom(seldom);
	return lines;
}

static void test_lines(void **state)
{
	struct log_seldom seldom = {0};

	(void)state;
	assert_int_equal(lines_of(&seldom, 1), 1);
	assert_int_equal(lines_of(&seldom, 1000), LOG_SELDOM_LINES - 1);
	now_s += 59.;
	assert_int_equal(lines_of(&seldom, 1000), 0);
	now_s += 1.;
	assert_int_equal(lines_of(&seldom, 1000), LOG_SELDOM_LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
