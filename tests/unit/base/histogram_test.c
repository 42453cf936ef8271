/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What falls into which bucket. */
#include "base/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_bound_is_inclusive(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++)
		histogram_add(&histogram, histogram_bounds[i]);
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++)
		assert_int_equal(histogram.counts[i], 1);
	assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS], 0);
	histogram_add(&histogram, histogram_bounds[HISTOGRAM_BOUNDS - 1] * 1.001);
	assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS], 1);
}

static void bounds_rise(void **state)
{
	(void)state;
	for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
		assert_true(histogram_bounds[i] > histogram_bounds[i - 1]);
}

static void no_time_is_negative(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	histogram_add(&histogram, -5);
	histogram_add(&histogram, NAN);
	histogram_add(&histogram, 0);
	assert_int_equal(histogram.counts[0], 3);
	assert_true(histogram.sum_s == 0);
}

static void two_make_one(void **state)
{
	struct histogram one = {0}, other = {0};

	(void)state;
	histogram_add(&one, 0.25);
	histogram_add(&other, 0.25);
	histogram_add(&other, 100);
	histogram_merge(&one, &other);
	assert_int_equal(one.counts[7], 2);
	assert_int_equal(one.counts[HISTOGRAM_BOUNDS], 1);
	assert_true(one.sum_s == 100.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bound_is_inclusive),
		cmocka_unit_test(bounds_rise),
		cmocka_unit_test(no_time_is_negative),
		cmocka_unit_test(two_make_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
