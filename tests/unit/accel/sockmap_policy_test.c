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
static int talk(struct chat *chat, ev_tstamp now, int turns, size_t n, double pause_s)
{
	for (int i = 1; i <= turns; i++) {
		now += pause_s;
		if (chat_moved(chat, &tune_default, i % 2, n, now))
			return i;
	}
	return 0;
}

static void many_small_turns_are_chat(void **state)
{
	struct chat chat = {0};

	(void)state;
	assert_int_equal(talk(&chat, START_S, 1000, 64, 0.0001), tune_default.chat_turns);
}

static void slow_turns_are_not(void **state)
{
	struct chat chat = {0};
	/* One turn less than it takes in each window. */
	double pause_s = tune_default.chat_window_us / 1e6 / (tune_default.chat_turns - 2);

	(void)state;
	assert_int_equal(talk(&chat, START_S, 1000, 64, pause_s), 0);
}

static void large_turns_are_not(void **state)
{
	(void)state;
	assert_int_equal(
		talk(&(struct chat){0}, START_S, 1000, tune_default.chat_bytes + 1, 0.0001), 0);
	assert_true(talk(&(struct chat){0}, START_S, 1000, tune_default.chat_bytes, 0.0001) > 0);
}

static void one_direction_alone_is_not(void **state)
{
	struct chat chat = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(chat_moved(&chat, &tune_default, true, 64, START_S + i * 0.0001));
}

static void nothing_is_no_turn(void **state)
{
	struct chat chat = {0};

	(void)state;
	assert_int_equal(talk(&chat, START_S, 1000, 0, 0.0001), 0);
}

/* Seconds from now until it may enter. */
static double wait_s(const struct chat *chat, ev_tstamp now)
{
	double waited_s = 0;

	while (!chat_may_enter(chat, now + waited_s))
		waited_s += 0.25;
	return waited_s;
}

static void leaving_soon_doubles_the_wait(void **state)
{
	struct chat chat = {0};
	double expected_s = tune_default.chat_backoff_ms / 1e3;
	double most_s = tune_default.chat_backoff_max_ms / 1e3;
	ev_tstamp now = START_S;

	(void)state;
	assert_true(chat_may_enter(&chat, now));
	for (int i = 0; i < 10; i++) {
		chat_entered(&chat, now);
		now += 0.5;
		chat_left(&chat, &tune_default, now);
		assert_true(wait_s(&chat, now) == expected_s);
		assert_int_equal(talk(&chat, now, 100, 64, 0.0001), 0);
		now += expected_s;
		expected_s = expected_s * 2 < most_s ? expected_s * 2 : most_s;
	}
	/* It stayed in for long: that it leaves now says little about the next time. */
	chat_entered(&chat, now);
	now += most_s + 1;
	chat_left(&chat, &tune_default, now);
	assert_true(wait_s(&chat, now) == tune_default.chat_backoff_ms / 1e3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_small_turns_are_chat),
		cmocka_unit_test(slow_turns_are_not),
		cmocka_unit_test(large_turns_are_not),
		cmocka_unit_test(one_direction_alone_is_not),
		cmocka_unit_test(nothing_is_no_turn),
		cmocka_unit_test(leaving_soon_doubles_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
