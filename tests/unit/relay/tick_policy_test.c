/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a direction is looked at on a tick, how often, and when no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/tick_policy.h"

#define SOURCE 1001
#define TARGET 1002

static uint32_t rtt_us;

uint32_t __wrap_socket_receive_rtt_us(int fd);
uint32_t __wrap_socket_rtt_us(int fd);

uint32_t __wrap_socket_receive_rtt_us(int fd)
{
	assert_int_equal(fd, SOURCE);
	return rtt_us / 2;
}

uint32_t __wrap_socket_rtt_us(int fd)
{
	assert_int_equal(fd, TARGET);
	return rtt_us / 2;
}

static struct relay_config tick_auto = {.tick = {.mode = TICK_MODE_AUTO}};

/* Wake-ups each millisecond with n bytes each; the interval of the first tick, or 0 after count. */
static uint32_t wake(struct tick_policy *policy, const struct relay_config *config, size_t n,
		     int count, int *woken)
{
	static ev_tstamp now = 1000.;

	for (int i = 1; i <= count; i++) {
		uint32_t interval_us;

		now += 0.001;
		interval_us = tick_policy_woken(policy, config, n, now, SOURCE, TARGET);
		if (woken)
			*woken = i;
		if (interval_us)
			return interval_us;
	}
	return 0;
}

static void bulk_is_ticked_after_a_while(void **state)
{
	struct tick_policy policy = {0};
	int woken;

	(void)state;
	rtt_us = 100000;
	/* 200 KB per ms: 512 KiB take 2.6 ms. */
	assert_in_range(wake(&policy, &tick_auto, 200000, 100, &woken), 2500, 2800);
	assert_in_range(woken, 16, 25);
}

static void the_interval_follows_the_rate(void **state)
{
	(void)state;
	rtt_us = 100000;
	assert_int_equal(wake(&(struct tick_policy){0}, &tick_auto, 20000, 100, NULL), 4000);
	assert_int_equal(wake(&(struct tick_policy){0}, &tick_auto, 1000000, 100, NULL), 1000);
}

static void the_interval_is_an_eighth_of_the_round_trip_at_most(void **state)
{
	(void)state;
	rtt_us = 16000;
	assert_int_equal(wake(&(struct tick_policy){0}, &tick_auto, 20000, 100, NULL), 2000);
	rtt_us = 7999;
	assert_int_equal(wake(&(struct tick_policy){0}, &tick_auto, 20000, 100, NULL), 0);
}

static void chatter_is_never_ticked(void **state)
{
	(void)state;
	rtt_us = 100000;
	assert_int_equal(wake(&(struct tick_policy){0}, &tick_auto, 2000, 10000, NULL), 0);
}

static void a_pause_begins_anew(void **state)
{
	struct tick_policy policy = {0};
	const ev_tstamp start = 5000.;

	(void)state;
	rtt_us = 100000;
	/* Bursts of 100 KB, 100 ms apart: 1 MB/s, which is not bulk. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(tick_policy_woken(&policy, &tick_auto, 100000, start + i * 0.1,
						   SOURCE, TARGET),
				 0);
}

static void a_tick_that_brings_little_ends_it(void **state)
{
	struct tick_policy policy = {0};

	(void)state;
	rtt_us = 100000;
	assert_int_equal(tick_policy_ticked(&policy, &tick_auto, 200000, 1., SOURCE, TARGET, 2000),
			 2000);
	assert_int_equal(
		tick_policy_ticked(&policy, &tick_auto, 16383, 1.002, SOURCE, TARGET, 2000), 0);
	/* And it does not come back at once. */
	assert_int_equal(tick_policy_woken(&policy, &tick_auto, 200000, 1.01, SOURCE, TARGET), 0);
}

static void the_interval_is_chosen_anew_while_ticking(void **state)
{
	struct tick_policy policy = {.since = 1.};
	uint32_t interval_us = 4000;

	(void)state;
	rtt_us = 100000;
	for (int i = 1; i <= 16; i++)
		interval_us = tick_policy_ticked(&policy, &tick_auto, 1000000, 1. + i * 0.004,
						 SOURCE, TARGET, interval_us);
	assert_in_range(interval_us, 2000, 2200);
	/* The path got short: back to readability. */
	rtt_us = 1000;
	for (int i = 17; i <= 32 && interval_us; i++)
		interval_us = tick_policy_ticked(&policy, &tick_auto, 1000000, 1. + i * 0.004,
						 SOURCE, TARGET, interval_us);
	assert_int_equal(interval_us, 0);
}

static void off_and_fixed(void **state)
{
	const struct relay_config off = {.tick = {.mode = TICK_MODE_OFF}, .tune = tune_default};
	const struct relay_config fixed = {.tick = {.mode = TICK_MODE_FIXED, .fixed_us = 700},
					   .tune = tune_default};

	(void)state;
	rtt_us = 1000;
	assert_int_equal(wake(&(struct tick_policy){0}, &off, 1000000, 1000, NULL), 0);
	assert_int_equal(wake(&(struct tick_policy){0}, &fixed, 1000000, 1000, NULL), 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bulk_is_ticked_after_a_while),
		cmocka_unit_test(the_interval_follows_the_rate),
		cmocka_unit_test(the_interval_is_an_eighth_of_the_round_trip_at_most),
		cmocka_unit_test(chatter_is_never_ticked),
		cmocka_unit_test(a_pause_begins_anew),
		cmocka_unit_test(a_tick_that_brings_little_ends_it),
		cmocka_unit_test(the_interval_is_chosen_anew_while_ticking),
		cmocka_unit_test(off_and_fixed),
	};

	tick_auto.tune = tune_default;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
