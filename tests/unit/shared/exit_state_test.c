/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an exit is up and down, when it is probed, and which one is chosen. */
#include "shared/affinity.h"
#include "shared/exit_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/exit_dial.h"

#define IDLE_S 10

static struct exit_state *exit_;

static int setup(void **state)
{
	(void)state;
	exit_ = exit_state_new();
	return exit_ ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	exit_state_put(exit_);
	return 0;
}

static enum exit_health state_of(struct exit_state *exit)
{
	struct exit_facts facts;

	exit_state_describe(exit, &facts);
	return facts.state;
}

static void one_failure_is_down(void **state)
{
	struct exit_facts facts;

	(void)state;
	assert_true(exit_state_is_usable(exit_));
	exit_state_answered(exit_, 0.1, 100);
	assert_int_equal(state_of(exit_), EXIT_UP);
	assert_true(exit_state_failed(exit_, CAUSE_EXIT_SILENT, 101, 103));
	assert_false(exit_state_is_usable(exit_));
	/* It was known already. */
	assert_false(exit_state_failed(exit_, CAUSE_REFUSED, 101, 104));
	exit_state_describe(exit_, &facts);
	assert_int_equal(facts.failures, 2);
	assert_int_equal(facts.last_failure, CAUSE_REFUSED);
}

/* Who answers others meanwhile is not dead. */
static void a_lost_attempt_is_none(void **state)
{
	(void)state;
	exit_state_answered(exit_, 0.1, 100);
	exit_state_answered(exit_, 0.1, 102);
	assert_false(exit_state_failed(exit_, CAUSE_EXIT_SILENT, 101, 103));
	assert_int_equal(state_of(exit_), EXIT_UP);
}

/* Answers a second apart from `from` on until it is up; returns how many. */
static int answers_until_up(double from)
{
	int answers = 0;

	while (state_of(exit_) != EXIT_UP)
		exit_state_answered(exit_, 0.1, from + answers++);
	return answers;
}

static void it_comes_back_with_hysteresis(void **state)
{
	double now = 100;
	int before = 2;

	(void)state;
	exit_state_answered(exit_, 0.1, now);
	exit_state_failed(exit_, CAUSE_REFUSED, now + 100, now + 100);
	exit_state_answered(exit_, 0.1, 201);
	exit_state_failed(exit_, CAUSE_REFUSED, 202, 202);
	assert_int_equal(answers_until_up(203), 2);
	/* The sooner it fails again, the longer it must prove itself, to a limit. */
	now = 210;
	for (int round = 0; round < 6; round++) {
		int answers;

		exit_state_failed(exit_, CAUSE_REFUSED, now, now);
		answers = answers_until_up(now + 1);
		assert_int_equal(answers, before < 16 ? 2 * before : 16);
		before = answers;
		now += 30;
	}
	/* A minute of peace, and it is as it was. */
	now += 100;
	exit_state_failed(exit_, CAUSE_REFUSED, now, now);
	assert_int_equal(answers_until_up(now + 1), 2);
}

static void probes_are_for_the_idle_and_the_dead(void **state)
{
	(void)state;
	/* At once when nothing is known. */
	assert_true(exit_state_wants_probe(exit_, IDLE_S, 1));
	assert_false(exit_state_wants_probe(exit_, IDLE_S, 2));
	exit_state_answered(exit_, 0.1, 100);
	assert_false(exit_state_wants_probe(exit_, IDLE_S, 109));
	assert_true(exit_state_wants_probe(exit_, IDLE_S, 110));
	exit_state_answered(exit_, 0.1, 110.1);
	exit_state_answered(exit_, 0.1, 118);
	assert_false(exit_state_wants_probe(exit_, IDLE_S, 121));
	exit_state_failed(exit_, CAUSE_REFUSED, 122, 122);
	assert_true(exit_state_wants_probe(exit_, IDLE_S, 122));
	assert_false(exit_state_wants_probe(exit_, IDLE_S, 122.9));
	assert_true(exit_state_wants_probe(exit_, IDLE_S, 123.1));
}

static void the_best_usable_one_is_chosen(void **state)
{
	struct exit_config exits[4] = {
		{.name = "0", .priority = 2, .weight = 1},
		{.name = "1", .priority = 1, .weight = 1},
		{.name = "2", .priority = 1, .weight = 3},
		{.name = "3", .priority = 0, .weight = 1},
	};
	const struct config config = {.exits = exits, .exit_count = 4};
	int counts[4] = {0};

	struct affinity_asker asker = {.affinity = affinity_open(), .keep_s = 600};
	int first[400];

	(void)state;
	assert_non_null(asker.affinity);
	for (int i = 0; i < 4; i++)
		exits[i].state = exit_state_new();
	assert_int_equal(exit_dial_choose(&config, 0, &asker), 3);
	exit_state_failed(exits[3].state, CAUSE_REFUSED, 1, 1);
	for (int i = 0; i < 400; i++) {
		asker.pair.hash = (uint64_t)i + 1;
		counts[first[i] = exit_dial_choose(&config, 0, &asker)]++;
	}
	/* 100 are expected, with a deviation of 9. */
	assert_in_range(counts[1], 50, 150);
	assert_int_equal(counts[1] + counts[2], 400);
	for (int i = 0; i < 400; i++) {
		asker.pair.hash = (uint64_t)i + 1;
		assert_int_equal(exit_dial_choose(&config, 0, &asker), first[i]);
	}
	assert_int_equal(exit_dial_choose(&config, 1 << 2, &asker), 1);
	assert_int_equal(exit_dial_choose(&config, 1 << 2 | 1 << 1, &asker), 0);
	assert_int_equal(exit_dial_choose(&config, 7, &asker), -1);
	affinity_close(asker.affinity);
	for (int i = 0; i < 4; i++)
		exit_state_put(exits[i].state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static const union address silent = {
	.in4 = {.sin_family = AF_INET, .sin_port = 0x3804, .sin_addr.s_addr = 0x010200c0}};

static void an_address_is_avoided_until_it_answers_twice(void **state)
{
	union address due;

	(void)state;
	exit_state_answered(exit_, 0.1, 100);
	assert_false(exit_state_avoids(exit_, &silent));
	assert_true(exit_state_avoid(exit_, &silent, 100));
	assert_false(exit_state_avoid(exit_, &silent, 101));
	assert_true(exit_state_avoids(exit_, &silent));
	assert_int_equal(state_of(exit_), EXIT_UP);
	exit_state_set_address(exit_, &silent);
	assert_true(exit_state_avoids(exit_, &silent));
	/* In a row. */
	assert_false(exit_state_avoid(exit_, &silent, 102));
	exit_state_set_address(exit_, &silent);
	assert_true(exit_state_avoids(exit_, &silent));
	exit_state_set_address(exit_, &silent);
	assert_false(exit_state_avoids(exit_, &silent));
	assert_false(exit_state_wants_avoided_probe(exit_, 1000, &due));
}

static void one_answer_will_do_when_the_exit_is_down(void **state)
{
	(void)state;
	assert_true(exit_state_avoid(exit_, &silent, 100));
	assert_true(exit_state_failed(exit_, CAUSE_EXIT_SILENT, 101, 103));
	exit_state_set_address(exit_, &silent);
	assert_false(exit_state_avoids(exit_, &silent));
}

static void an_avoided_address_is_probed_now_and_then(void **state)
{
	union address due = {0};

	(void)state;
	assert_true(exit_state_avoid(exit_, &silent, 100));
	assert_false(exit_state_wants_avoided_probe(exit_, 102, &due));
	assert_true(exit_state_wants_avoided_probe(exit_, 103, &due));
	assert_memory_equal(&due, &silent, sizeof(due));
	assert_false(exit_state_wants_avoided_probe(exit_, 104, &due));
	assert_true(exit_state_wants_avoided_probe(exit_, 106, &due));
	/* The exit may have it no more. */
	assert_false(exit_state_wants_avoided_probe(exit_, 700, &due));
	assert_false(exit_state_avoids(exit_, &silent));
}

static void only_so_many_are_avoided(void **state)
{
	union address address = silent;
	struct exit_facts facts;

	(void)state;
	for (uint32_t i = 0; i < EXIT_AVOIDED_MAX; i++) {
		address.in4.sin_addr.s_addr = 0x010200c0 + (i << 24);
		assert_true(exit_state_avoid(exit_, &address, 100));
	}
	address.in4.sin_addr.s_addr = 0x010300c0;
	assert_false(exit_state_avoid(exit_, &address, 100));
	exit_state_describe(exit_, &facts);
	assert_int_equal(facts.avoided_count, EXIT_AVOIDED_MAX);
}

static void it_says_how_long_it_was_down(void **state)
{
	struct exit_facts facts;

	(void)state;
	assert_float_equal(exit_state_answered(exit_, 0.1, 100), 0, 0);
	exit_state_failed(exit_, CAUSE_EXIT_SILENT, 101, 103);
	exit_state_failed(exit_, CAUSE_EXIT_SILENT, 101, 120);
	exit_state_describe(exit_, &facts);
	assert_float_equal(facts.down_s, 103, 0);
	assert_float_equal(exit_state_answered(exit_, 0.1, 143), 0, 0);
	assert_float_equal(exit_state_answered(exit_, 0.1, 144), 41, 0.001);
	assert_float_equal(exit_state_answered(exit_, 0.1, 145), 0, 0);
}

/* It is up all the while. */
static void it_says_how_long_it_was_full(void **state)
{
	struct exit_facts facts;

	(void)state;
	exit_state_answered(exit_, 0.1, 100);
	assert_float_equal(episode_ends(exit_state_full(exit_), 101), 0, 0);
	assert_true(episode_goes_on(exit_state_full(exit_), 102));
	assert_false(episode_goes_on(exit_state_full(exit_), 110));
	exit_state_describe(exit_, &facts);
	assert_float_equal(facts.full_s, 102, 0);
	assert_int_equal(facts.state, EXIT_UP);
	assert_float_equal(episode_ends(exit_state_full(exit_), 111), 0, 0);
	assert_float_equal(episode_ends(exit_state_full(exit_), 121), 8, 0.001);
	exit_state_describe(exit_, &facts);
	assert_float_equal(facts.full_s, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_failure_is_down),
		TEST(a_lost_attempt_is_none),
		TEST(it_comes_back_with_hysteresis),
		TEST(it_says_how_long_it_was_down),
		TEST(it_says_how_long_it_was_full),
		TEST(probes_are_for_the_idle_and_the_dead),
		cmocka_unit_test(the_best_usable_one_is_chosen),
		cmocka_unit_test_setup_teardown(an_address_is_avoided_until_it_answers_twice, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_answer_will_do_when_the_exit_is_down, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_avoided_address_is_probed_now_and_then, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_so_many_are_avoided, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
