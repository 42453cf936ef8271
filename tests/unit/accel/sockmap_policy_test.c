/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a pair counts as chatty, and how soon again after it left the sockmap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/sockmap_policy.h"

#define START_S 1000.

/* Turns of n bytes, one every pause_s from now on; how many until it is chatty, 0: never. */
static int talk(struct sockmap_policy *policy, ev_tstamp now, int turns, size_t n, double pause_s)
{
	for (int i = 1; i <= turns; i++) {
		now += pause_s;
		if (sockmap_policy_moved(policy, &tune_default, i % 2, n, now))
			return i;
	}
	return 0;
}

static void many_small_turns_are_chat(void **state)
{
	struct sockmap_policy policy = {0};

	(void)state;
	assert_int_equal(talk(&policy, START_S, 1000, 64, 0.0001), tune_default.chat_turns);
}

static void slow_turns_are_not(void **state)
{
	struct sockmap_policy policy = {0};
	/* One turn less than it takes in each window. */
	double pause_s = tune_default.chat_window_us / 1e6 / (tune_default.chat_turns - 2);

	(void)state;
	assert_int_equal(talk(&policy, START_S, 1000, 64, pause_s), 0);
}

static void large_turns_are_not(void **state)
{
	(void)state;
	assert_int_equal(talk(&(struct sockmap_policy){0}, START_S, 1000,
			      tune_default.chat_bytes + 1, 0.0001),
			 0);
	assert_true(talk(&(struct sockmap_policy){0}, START_S, 1000, tune_default.chat_bytes,
			 0.0001) > 0);
}

static void one_direction_alone_is_not(void **state)
{
	struct sockmap_policy policy = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(sockmap_policy_moved(&policy, &tune_default, true, 64,
						  START_S + i * 0.0001));
}

static void nothing_is_no_turn(void **state)
{
	struct sockmap_policy policy = {0};

	(void)state;
	assert_int_equal(talk(&policy, START_S, 1000, 0, 0.0001), 0);
}

/* Seconds from now until it may enter. */
static double wait_s(const struct sockmap_policy *policy, ev_tstamp now)
{
	double waited_s = 0;

	while (!sockmap_policy_may_enter(policy, now + waited_s))
		waited_s += 0.25;
	return waited_s;
}

static void only_turns_are_talk(void **state)
{
	struct sockmap_policy policy = {0};

	(void)state;
	for (int i = 0; i < 10; i++)
		sockmap_policy_moved(&policy, &tune_default, UP, 64, START_S);
	assert_false(sockmap_policy_talks(&policy, &tune_default));
	sockmap_policy_moved(&policy, &tune_default, DOWN, 64, START_S);
	assert_true(sockmap_policy_talks(&policy, &tune_default));
	sockmap_policy_moved(&policy, &tune_default, DOWN, tune_default.chat_bytes, START_S);
	assert_false(sockmap_policy_talks(&policy, &tune_default));
}

static void leaving_soon_doubles_the_wait(void **state)
{
	struct sockmap_policy policy = {0};
	double expected_s = tune_default.chat_backoff_ms / 1e3;
	double most_s = tune_default.chat_backoff_max_ms / 1e3;
	ev_tstamp now = START_S;

	(void)state;
	assert_true(sockmap_policy_may_enter(&policy, now));
	for (int i = 0; i < 10; i++) {
		sockmap_policy_entered(&policy, now);
		now += 0.5;
		sockmap_policy_left(&policy, &tune_default, now);
		assert_true(wait_s(&policy, now) == expected_s);
		assert_int_equal(talk(&policy, now, 100, 64, 0.0001), 0);
		now += expected_s;
		expected_s = expected_s * 2 < most_s ? expected_s * 2 : most_s;
	}
	/* It stayed in for long: that it leaves now says little about the next time. */
	sockmap_policy_entered(&policy, now);
	now += most_s + 1;
	sockmap_policy_left(&policy, &tune_default, now);
	assert_true(wait_s(&policy, now) == tune_default.chat_backoff_ms / 1e3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_small_turns_are_chat),
		cmocka_unit_test(slow_turns_are_not),
		cmocka_unit_test(large_turns_are_not),
		cmocka_unit_test(one_direction_alone_is_not),
		cmocka_unit_test(nothing_is_no_turn),
		cmocka_unit_test(only_turns_are_talk),
		cmocka_unit_test(leaving_soon_doubles_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
