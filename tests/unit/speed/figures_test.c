/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of a speed test, and when it is in the way of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "speed/figures.h"
#include "speed/watch.h"

#define MBIT 125000.

static void slow_start_does_not_count(void **state)
{
	struct speed_sample samples[61];

	(void)state;
	/* 1 MB/s after two seconds of little. */
	for (int i = 0; i <= 60; i++)
		samples[i] = (struct speed_sample){
			.s = i / 10., .bytes = i < 20 ? (uint64_t)i : (uint64_t)(i - 20) * 100000};
	assert_float_equal(speed_skip_s(6), 2., 0.001);
	assert_float_equal(speed_rate(samples, 61, 2.), 1e6, 1.);
	assert_true(speed_rate(samples, 61, 0.) < 0.7e6);
}

static void too_little_is_no_figure(void **state)
{
	const struct speed_sample samples[] = {{0, 0}, {1, 1000}, {1.4, 2000}, {5, 0}};

	(void)state;
	assert_float_equal(speed_rate(samples, 0, 0), 0, 0);
	assert_float_equal(speed_rate(samples, 3, 1), 0, 0);
	assert_float_equal(speed_rate(samples, 3, 2), 0, 0);
	assert_true(speed_rate(samples, 3, 0) > 0);
}

static void the_first_seconds_are_bounded(void **state)
{
	(void)state;
	assert_true(speed_skip_s(2) < 1);
	assert_float_equal(speed_skip_s(20), 3., 0.001);
}

static void latency_is_median_and_p95(void **state)
{
	double hundred[100], two[] = {30, 10}, one[] = {7};
	struct speed_latency latency;

	(void)state;
	for (int i = 0; i < 100; i++)
		hundred[i] = 100 - i;
	latency = speed_latency_of(hundred, 100);
	assert_float_equal(latency.median_ms, 50.5, 0.001);
	assert_float_equal(latency.p95_ms, 95, 0.001);
	assert_int_equal(latency.count, 100);
	latency = speed_latency_of(two, 2);
	assert_float_equal(latency.median_ms, 20, 0.001);
	assert_float_equal(latency.p95_ms, 30, 0.001);
	latency = speed_latency_of(one, 1);
	assert_float_equal(latency.p95_ms, 7, 0.001);
	assert_int_equal(speed_latency_of(one, 0).count, 0);
}

/* What others move now, down, where the test moves own; and what they moved before. */
static enum speed_conflict conflict(double own, double others, double before)
{
	const struct speed_load now[DIRECTIONS] = {
		[DOWN] = {.own = own * MBIT,
			  .others_least = (others - 0.08 * own) * MBIT,
			  .others_most = others * MBIT}};
	const double then[DIRECTIONS] = {[DOWN] = before * MBIT};

	return speed_conflict(now, then, DOWN);
}

static void a_test_knows_when_it_is_in_the_way(void **state)
{
	(void)state;
	assert_int_equal(conflict(90, 0, 0), SPEED_ALONE);
	assert_int_equal(conflict(90, 7, 0), SPEED_ALONE); /* its own headers */
	assert_int_equal(conflict(30, 60, 95), SPEED_HURTS);
	assert_int_equal(conflict(15, 80, 95), SPEED_ALONE);
	assert_int_equal(conflict(50, 2, 5), SPEED_ALONE); /* too little to tell */
	assert_int_equal(conflict(60, 35, 0), SPEED_JOINED);
	assert_int_equal(conflict(60, 35, 33), SPEED_ALONE);
}

/* An upload that fills the line keeps acknowledgements of downloads waiting. */
static void the_other_way_counts(void **state)
{
	const struct speed_load now[DIRECTIONS] = {
		[UP] = {.own = 9 * MBIT}, [DOWN] = {.others_most = 20 * MBIT}};
	const double before[DIRECTIONS] = {[DOWN] = 40 * MBIT};
	const struct speed_load joined[DIRECTIONS] = {[DOWN] = {.others_least = 40 * MBIT}};
	const double none[DIRECTIONS] = {0};

	(void)state;
	assert_int_equal(speed_conflict(now, before, UP), SPEED_HURTS);
	assert_int_equal(speed_conflict(joined, none, UP), SPEED_ALONE);
	assert_int_equal(speed_conflict(joined, none, DOWN), SPEED_JOINED);
}

static void who_was_held_up_recovers(void **state)
{
	const struct speed_load then[DIRECTIONS] = {[DOWN] = {.others_most = 20 * MBIT}};
	const double again[DIRECTIONS] = {[DOWN] = 40 * MBIT};
	const double gone[DIRECTIONS] = {[DOWN] = 3 * MBIT};

	(void)state;
	assert_true(speed_recovered(again, then));
	assert_false(speed_recovered(gone, then));
}

/* A subflow that is closed, or a kernel that does not tell: nobody has moved less than nothing. */
static void a_count_that_falls_is_no_rate(void **state)
{
	struct speed_watch watch = {
		.ring = {{.s = 1, .own = {[DOWN] = 9e6}}, {.s = 2, .line = {[DOWN] = 1e6}}},
		.next = 2,
		.count = 2};
	struct speed_load load[DIRECTIONS];

	(void)state;
	assert_true(speed_watch_rate(&watch, 1, load));
	assert_float_equal(load[DOWN].own, 0, 0);
	assert_float_equal(load[DOWN].others_least, 1e6, 1);
	assert_float_equal(load[DOWN].others_most, 1e6, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_start_does_not_count),
		cmocka_unit_test(too_little_is_no_figure),
		cmocka_unit_test(the_first_seconds_are_bounded),
		cmocka_unit_test(latency_is_median_and_p95),
		cmocka_unit_test(a_test_knows_when_it_is_in_the_way),
		cmocka_unit_test(the_other_way_counts),
		cmocka_unit_test(who_was_held_up_recovers),
		cmocka_unit_test(a_count_that_falls_is_no_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
