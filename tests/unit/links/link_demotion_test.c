/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a link is set aside for a trial, and what its trial proves. */
#include "link_demotion_fixture.h"

static void who_lowers_the_sum_is_demoted(void **state)
{
	(void)state;
	run(4, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	/* What was under way. */
	run(2, 10, 1);
	run(2, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	run(1, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	assert_int_equal(links[DSL].state, LINK_STATE_UP);
	assert_float_equal(links[SAT].sums.with, 26 * MBIT, 1);
	assert_float_equal(links[SAT].sums.without, 47 * MBIT, 1);
}

/* As where the sender or the reader is what is slow. */
static void who_does_not_comes_back(void **state)
{
	(void)state;
	run(5, 25, 1);
	run(3, 25.9, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	/* And not for the next. */
	run(29, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	run(3, 25, 0);
	run(59, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
}

static void a_gain_must_be_worth_it(void **state)
{
	(void)state;
	run(5, 25, 1);
	run(5, 28, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

/* A loss on the slow link holds up all, and passes. */
static void a_dip_before_the_trial_is_no_guilt(void **state)
{
	(void)state;
	run(3, 50, 9);
	run(1, 20, 2);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, 5, 0.5);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	run(5, 50, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

/* Much is under way on both, and each loss on the slow one holds up all of it. */
static void turn_bad(double dsl, double sat)
{
	sights[SAT].rtt_us = 100000;
	run(6, 90, 30);
	run(20, 80, 40);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(3, dsl, sat);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, dsl, sat);
}

static void who_turns_bad_later_is_demoted(void **state)
{
	(void)state;
	turn_bad(35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	run(5, 90, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	assert_float_equal(links[SAT].sums.with, (120 + 4 * 60) / 5. * MBIT, 1);
}

/* The others were better once, and are not any more. */
static void what_a_trial_shows_is_believed(void **state)
{
	(void)state;
	turn_bad(35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	run(3, 35, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(120, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	/* Until they show more. */
	run(10, 70, 25);
	run(4, 30, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
}

/* A second that dips ends a trial, which is soon repeated as there is more to be had. */
static void a_trial_that_promised_more_is_repeated_soon(void **state)
{
	(void)state;
	turn_bad(35, 25);
	run(3, 90, 0);
	run(1, 30, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(4, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
}

static void who_is_asked_for_less_is_left_alone(void **state)
{
	(void)state;
	turn_bad(4, 3);
	run(60, 4, 3);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

static void a_burst_is_not_missed(void **state)
{
	(void)state;
	sights[SAT].rtt_us = 100000;
	run(6, 40, 20);
	run(1, 95, 20);
	run(60, 40, 20);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

/* A video: a part every few seconds, of one second each, and little or nothing in between. However
 * long it goes on, that the others do it alone proves nothing. */
static void who_fetches_in_bursts_shows_nothing(void **state)
{
	static const double between[] = {0, 0.5, 0.7, 1};

	for (unsigned int period = 2; period <= 6; period++)
		for (size_t i = 0; i < 4; i++) {
			setup(state);
			sights[DSL].rtt_us = 15000;
			sights[SAT].rtt_us = i % 2 == 0 ? 60000 : 600000;
			for (unsigned int second = 0; second < 1200; second++) {
				const bool burst = second % period == 0;
				const bool alone = links[SAT].state != LINK_STATE_UP;
				const double slow = alone ? 0 : burst ? 1.5 : between[i] / 5;

				/* At any time they may have shown it. */
				demotion.entries[link_slot(links[DSL].table)].best = 6 * MBIT;
				demotion.entries[link_slot(links[DSL].table)].best_at_s = now_s;
				run(1, (burst ? 5 : between[i]) - slow, slow);
				assert_int_not_equal(links[SAT].state, LINK_STATE_DEMOTED);
				if (i == 0 && period > 2)
					assert_int_equal(links[SAT].state, LINK_STATE_UP);
			}
		}
}

/* From the beginning, so nobody knows what the others carry alone. */
static void for_whom_others_stand_idle_is_tried(void **state)
{
	(void)state;
	sights[SAT].rtt_us = 100000;
	sights[SAT].awaited = 2;
	run(30, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	sights[SAT].awaited = 3;
	run(2, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	/* In vain: they have not more to give. The wait is that of all. */
	run(3, 40, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(29, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	run(5, 90, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
}

static void the_quickest_is_not_to_blame(void **state)
{
	(void)state;
	sights[SAT].rtt_us = 39000;
	sights[SAT].awaited = 20;
	run(60, 35, 25);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

static void it_has_time_to_find_its_rate(void **state)
{
	(void)state;
	demotion = (struct link_demotion){0};
	/* 20 round trips. */
	run(12, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(1, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
}

static void a_burst_is_no_gain(void **state)
{
	(void)state;
	run(5, 25, 1);
	run(4, 80, 0);
	run(1, 20, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

/* One second below the gain, when BBR asks for the round-trip time. */
static void a_dip_is_borne(void **state)
{
	(void)state;
	run(5, 25, 1);
	run(2, 30, 0);
	run(2, 47, 0);
	run(1, 27, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
}

static void who_carries_its_part_is_left_alone(void **state)
{
	(void)state;
	run(60, 50, 20);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

static void who_is_about_as_quick_is_left_alone(void **state)
{
	(void)state;
	sights[DSL].rtt_us = 201000;
	run(60, 50, 5);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	sights[DSL].rtt_us = 10000;
	sights[SAT].rtt_us = 90000;
	run(60, 50, 5);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

/* Its window is small yet, and what the others suffer from it passes. */
static void who_grows_is_left_alone(void **state)
{
	double rate = 0.3;

	(void)state;
	for (unsigned int s = 0; s < 8; s++) {
		run(1, 20, rate);
		rate *= 1.7;
		assert_int_equal(links[SAT].state, LINK_STATE_UP);
	}
}

static void nobody_is_tried_when_idle(void **state)
{
	(void)state;
	run(60, 0.1, 0.01);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	/* Nothing that moves tells how slow it is. */
	sights[SAT].rtt_us = 0;
	run(6, 0, 0);
	run(60, 25, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

static void the_only_one_is_never_demoted(void **state)
{
	(void)state;
	links[DSL].paths[IP_V4].works = false;
	run(20, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	links[DSL].paths[IP_V4].works = true;
	/* Of a family. */
	links[SAT].paths[IP_V6].works = true;
	run(20, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	links[DSL].paths[IP_V6].works = true;
	demote();
	links[DSL].paths[IP_V6].works = false;
	mark();
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

static void a_backup_does_not_stand_in(void **state)
{
	(void)state;
	links[DSL].config.role = LINK_ROLE_BACKUP;
	run(20, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

static void it_can_be_forbidden(void **state)
{
	(void)state;
	links[SAT].config.no_demote = true;
	run(20, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	links[SAT].config.no_demote = false;
	demote();
	links[SAT].config.no_demote = true;
	mark();
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_lowers_the_sum_is_demoted, setup),
		cmocka_unit_test_setup(who_does_not_comes_back, setup),
		cmocka_unit_test_setup(a_gain_must_be_worth_it, setup),
		cmocka_unit_test_setup(a_dip_before_the_trial_is_no_guilt, setup),
		cmocka_unit_test_setup(who_turns_bad_later_is_demoted, setup),
		cmocka_unit_test_setup(what_a_trial_shows_is_believed, setup),
		cmocka_unit_test_setup(a_trial_that_promised_more_is_repeated_soon, setup),
		cmocka_unit_test_setup(who_is_asked_for_less_is_left_alone, setup),
		cmocka_unit_test_setup(a_burst_is_not_missed, setup),
		cmocka_unit_test_setup(who_fetches_in_bursts_shows_nothing, setup),
		cmocka_unit_test_setup(for_whom_others_stand_idle_is_tried, setup),
		cmocka_unit_test_setup(the_quickest_is_not_to_blame, setup),
		cmocka_unit_test_setup(it_has_time_to_find_its_rate, setup),
		cmocka_unit_test_setup(a_burst_is_no_gain, setup),
		cmocka_unit_test_setup(a_dip_is_borne, setup),
		cmocka_unit_test_setup(who_carries_its_part_is_left_alone, setup),
		cmocka_unit_test_setup(who_is_about_as_quick_is_left_alone, setup),
		cmocka_unit_test_setup(who_grows_is_left_alone, setup),
		cmocka_unit_test_setup(nobody_is_tried_when_idle, setup),
		cmocka_unit_test_setup(the_only_one_is_never_demoted, setup),
		cmocka_unit_test_setup(a_backup_does_not_stand_in, setup),
		cmocka_unit_test_setup(it_can_be_forbidden, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
