/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a path is taken out, and when it is used again. */
#include "links/probe_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "links/link_news.h"

static const struct probe_patience patience = {.busy_s = 0.05, .idle_s = 1};
static struct probe_verdict verdict;
static double now;

static int setup(void **state)
{
	(void)state;
	memset(&verdict, 0, sizeof(verdict));
	now = 1000;
	return 0;
}

static bool judge(void)
{
	return probe_verdict_judge(&verdict, &patience, now);
}

static void ask(double wait_s)
{
	(void)probe_verdict_send(&verdict, now);
	now += wait_s;
}

static void ask_and_answer(double rtt_s)
{
	const uint16_t sequence = probe_verdict_send(&verdict, now);

	now += rtt_s;
	probe_verdict_take(&verdict, sequence, now);
}

static void three_in_a_row_and_a_second(void **state)
{
	(void)state;
	ask_and_answer(0.1);
	ask(0.5);
	ask(0.5);
	assert_false(judge());
	ask(0.1);
	assert_false(judge()); /* 1.1 s: two round trips and a second are not over */
	now += 0.2;
	assert_true(judge());
	assert_true(verdict.out);
	assert_false(judge());
}

/* Before anybody can say that it is silent. */
static void an_answer_that_is_late_is_a_doubt(void **state)
{
	const struct link_signs alive = {.alive = 1};

	(void)state;
	ask(10);
	assert_false(probe_verdict_is_in_doubt(&verdict, now)); /* it has never answered */
	ask_and_answer(0.1);
	assert_false(probe_verdict_is_in_doubt(&verdict, now));
	ask(0.12);
	assert_false(probe_verdict_is_in_doubt(&verdict, now));
	/* An answer may wait to be read. */
	now += 0.01;
	assert_false(probe_verdict_is_in_doubt(&verdict, now));
	now += 0.01;
	assert_true(probe_verdict_is_in_doubt(&verdict, now));
	assert_false(judge());
	/* Sessions get something by it. */
	probe_verdict_sign(&verdict, &alive, 1, now);
	assert_false(probe_verdict_is_in_doubt(&verdict, now + 0.05));
	assert_true(probe_verdict_is_in_doubt(&verdict, now + 0.1));
	ask_and_answer(0.1);
	assert_false(probe_verdict_is_in_doubt(&verdict, now + 1));
}

static void requests_and_replies_are_counted(void **state)
{
	uint16_t late;

	(void)state;
	/* Who has never answered may not know how to. */
	ask(1);
	ask(1);
	assert_int_equal(verdict.requests, 0);
	ask_and_answer(0.1);
	assert_int_equal(verdict.requests + verdict.replies, 0);
	late = probe_verdict_send(&verdict, now);
	ask_and_answer(0.1);
	ask(1);
	assert_int_equal(verdict.requests, 3);
	assert_int_equal(verdict.replies, 1);
	/* A late one counts, and none counts twice. */
	probe_verdict_take(&verdict, late, now);
	probe_verdict_take(&verdict, late, now);
	assert_int_equal(verdict.replies, 2);
}

static void who_has_never_answered_is_judged_if_told(void **state)
{
	struct probe_patience strict = patience;

	(void)state;
	for (int i = 0; i < 10; i++)
		ask(1);
	assert_false(judge());
	strict.strict = true;
	assert_true(probe_verdict_judge(&verdict, &strict, now));
}

static void signs_of_sessions(void **state)
{
	struct link_signs signs = {.silent = 2};

	(void)state;
	ask_and_answer(0.01);
	for (int i = 0; i < 3; i++)
		ask(0.04);
	probe_verdict_sign(&verdict, &signs, 1, now); /* another link's */
	assert_false(judge());
	signs.alive = 2;
	probe_verdict_sign(&verdict, &signs, 2, now);
	assert_false(judge()); /* something came there */
	now += 0.1;
	signs.alive = 0;
	probe_verdict_sign(&verdict, &signs, 2, now);
	assert_true(judge());
}

static void an_answer_to_an_earlier_one_counts(void **state)
{
	uint16_t first;

	(void)state;
	ask_and_answer(0.1);
	first = probe_verdict_send(&verdict, now);
	now += 0.9;
	ask(0.4);
	ask(0);
	probe_verdict_take(&verdict, first, now); /* after 1.3 s */
	assert_int_equal(verdict.lost, 2);
	assert_false(judge());
	assert_true(verdict.rtt_s > 1.2);
	/* One that is out of the ring counts for nothing. */
	for (int i = 0; i < PROBE_RING; i++)
		(void)probe_verdict_send(&verdict, now);
	probe_verdict_take(&verdict, first, now);
	assert_true(verdict.lost > PROBE_RING);
}

static void lose(void)
{
	for (int i = 0; i < 5; i++)
		ask(1);
	assert_true(judge());
}

/* So many answers bring it back. */
static unsigned int count_answers(void)
{
	for (unsigned int i = 1; i < 100; i++) {
		ask_and_answer(0.1);
		if (judge())
			return i;
	}
	return 0;
}

static void the_return_takes_longer_each_time(void **state)
{
	(void)state;
	ask_and_answer(0.1);
	lose();
	assert_int_equal(count_answers(), 4);
	lose();
	assert_int_equal(count_answers(), 8);
	lose();
	assert_int_equal(count_answers(), 16);
	now += 100;
	ask_and_answer(0.1);
	lose();
	assert_int_equal(count_answers(), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_answer_that_is_late_is_a_doubt, setup),
		cmocka_unit_test_setup(requests_and_replies_are_counted, setup),
		cmocka_unit_test_setup(three_in_a_row_and_a_second, setup),
		cmocka_unit_test_setup(who_has_never_answered_is_judged_if_told, setup),
		cmocka_unit_test_setup(signs_of_sessions, setup),
		cmocka_unit_test_setup(an_answer_to_an_earlier_one_counts, setup),
		cmocka_unit_test_setup(the_return_takes_longer_each_time, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
