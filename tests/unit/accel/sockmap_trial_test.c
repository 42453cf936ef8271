/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict on the sockmap, by a clock and loads of our own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/sockmap_trial.h"

#define START_S 1000.01
#define RATE	1e6

/* What chatty pairs move a second, by the part of the trial. */
struct load {
	double rates[TRIAL_PARTS];
	double late_s; /* of each timer */
};

static double part_s(void)
{
	return tune_default.chat_window_us / 1e6 + tune_default.chat_trial_ms / 1e3;
}

/* Runs a trial that begins at *now_s. Whether there was one; *now_s: its end. */
static bool run(struct sockmap_trial *trial, const struct load *load, double *now_s)
{
	double wait_s = sockmap_trial_begin(trial, &tune_default, *now_s);
	double moved = 1e9;

	if (wait_s == 0)
		return false;
	while (wait_s > 0) {
		assert_true(trial->running);
		assert_int_equal(sockmap_trial_admits(trial), trial->part == TRIAL_SOCKMAP);
		assert_true(sockmap_trial_begin(trial, &tune_default, *now_s) == 0);
		wait_s += load->late_s;
		*now_s += wait_s;
		moved += load->rates[trial->part] * wait_s;
		wait_s = sockmap_trial_step(trial, *now_s, (uint64_t)moved);
	}
	assert_false(trial->running);
	return true;
}

static bool wins(bool before, double copy, double in_sockmap, double copy_again)
{
	struct sockmap_trial trial = {.wins = before};
	double now_s = START_S;

	assert_true(run(&trial, &(struct load){{copy, in_sockmap, copy_again}, 0}, &now_s));
	assert_int_equal(sockmap_trial_admits(&trial), trial.wins);
	return trial.wins;
}

static void at_first_copy_wins(void **state)
{
	(void)state;
	assert_false(sockmap_trial_admits(&(struct sockmap_trial){0}));
}

static void the_sockmap_has_to_be_better(void **state)
{
	(void)state;
	for (int before = 0; before < 2; before++) {
		assert_false(wins(before, RATE, RATE * 0.87, RATE));
		assert_false(wins(before, RATE, RATE, RATE));
		assert_false(wins(before, RATE, RATE * 1.04, RATE));
		assert_true(wins(before, RATE, RATE * 1.06, RATE));
		assert_true(wins(before, RATE, RATE * 28, RATE));
	}
}

/* Than both times without it: what grows or falls meanwhile is not its merit. */
static void a_drift_is_no_gain(void **state)
{
	(void)state;
	assert_false(wins(false, RATE, RATE * 1.1, RATE * 1.2));
	assert_false(wins(false, RATE * 1.2, RATE * 1.1, RATE));
	assert_true(wins(false, RATE, RATE * 1.3, RATE * 1.2));
}

static void another_load_says_nothing(void **state)
{
	(void)state;
	for (int before = 0; before < 2; before++) {
		assert_int_equal(wins(before, RATE, RATE * 10, RATE * 2), before);
		assert_int_equal(wins(before, RATE, RATE / 10, RATE / 2), before);
		assert_int_equal(wins(before, RATE, RATE, 0), before);
		assert_int_equal(wins(before, 0, RATE, RATE), before);
		assert_int_equal(wins(before, 0, 0, 0), before);
	}
}

static void late_timers_change_nothing(void **state)
{
	struct sockmap_trial trial = {0};
	double now_s = START_S;

	(void)state;
	assert_true(run(&trial, &(struct load){{RATE, RATE * 1.1, RATE}, 0.7}, &now_s));
	assert_true(trial.wins);
}

static void the_same_verdict_is_asked_ever_more_seldom(void **state)
{
	const struct load worse = {{RATE, RATE * 0.9, RATE}, 0};
	const struct load better = {{RATE, RATE * 2, RATE}, 0};
	double rest_s = tune_default.chat_trial_rest_s;
	struct sockmap_trial trial = {0};
	double now_s = START_S;

	(void)state;
	for (int i = 0; i < 12; i++) {
		assert_true(run(&trial, &worse, &now_s));
		now_s += rest_s - 0.001;
		assert_false(run(&trial, &worse, &now_s));
		now_s += 0.002;
		rest_s = fmin(rest_s * 2, 960);
	}
	/* Another verdict: soon again. */
	assert_true(run(&trial, &better, &now_s));
	now_s += rest_s + 0.001;
	assert_true(run(&trial, &better, &now_s));
	now_s += tune_default.chat_trial_rest_s + 0.001;
	assert_true(run(&trial, &better, &now_s));
}

/* A trial takes some tenths of a second, also for who begins right after the others. */
static void workers_begin_together(void **state)
{
	struct sockmap_trial first = {0};
	struct sockmap_trial second = {0};
	double early_s = floor(START_S / part_s()) * part_s() + part_s() / 10;
	double late_s = early_s + part_s() / 2;
	double one_s = early_s + sockmap_trial_begin(&first, &tune_default, early_s);
	double other_s = late_s + sockmap_trial_begin(&second, &tune_default, late_s);

	(void)state;
	assert_true(fabs(one_s - other_s) < 1e-6);
	assert_true(one_s - early_s < 2 * part_s());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_first_copy_wins),
		cmocka_unit_test(the_sockmap_has_to_be_better),
		cmocka_unit_test(a_drift_is_no_gain),
		cmocka_unit_test(another_load_says_nothing),
		cmocka_unit_test(late_timers_change_nothing),
		cmocka_unit_test(the_same_verdict_is_asked_ever_more_seldom),
		cmocka_unit_test(workers_begin_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
