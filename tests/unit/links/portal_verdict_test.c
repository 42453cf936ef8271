/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rounds of questions come to, and how often they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "links/portal_verdict.h"

static struct portal_verdict verdict;
static double now_s;

static const struct portal_round closed = {.word = PORTAL_CLOSED, .provable = true};
static const struct portal_round nothing = {.word = PORTAL_NOTHING, .provable = true};
static const struct portal_round closed_alone = {.word = PORTAL_CLOSED};
static const struct portal_round nothing_alone = {.word = PORTAL_NOTHING};
static const struct portal_round open_ = {.word = PORTAL_OPEN, .provable = true};
static const struct portal_round proven = {.word = PORTAL_CLOSED, .proven = true, .provable = true};

static int begin(void **state)
{
	(void)state;
	verdict = (struct portal_verdict){0};
	now_s = 1000;
	return 0;
}

/* A round, after the wait that the last one asked for. Whether a portal is found after it. */
static bool after(const struct portal_round *round)
{
	const bool was = verdict.found;
	bool changed;

	now_s += portal_verdict_wait_s(&verdict, false, now_s);
	portal_verdict_ask(&verdict, now_s);
	changed = portal_verdict_take(&verdict, round, now_s);
	assert_int_equal(changed, verdict.found != was);
	return verdict.found;
}

static void one_answer_is_none(void **state)
{
	(void)state;
	assert_false(after(&closed));
	assert_false(after(&nothing));
	assert_false(after(&closed));
	assert_false(after(&open_));
	assert_false(after(&closed));
	assert_true(after(&closed));
	assert_true(now_s < 1020);
}

static void an_exit_knows_better(void **state)
{
	(void)state;
	assert_false(after(&closed));
	assert_true(portal_verdict_needs_proof(&verdict));
	for (int i = 0; i < 5; i++)
		assert_false(after(&proven));
	assert_false(after(&closed));
	assert_true(after(&closed));
	assert_false(after(&proven));
}

/* One of two exits is down, and a filter answers for all: the other may yet show it. */
static void each_exit_has_its_say(void **state)
{
	const struct portal_round one_is_left = {
		.word = PORTAL_CLOSED, .provable = true, .unasked = true};

	(void)state;
	assert_false(after(&closed));
	assert_false(after(&one_is_left));
	assert_false(after(&proven));
	assert_false(after(&closed));
	assert_false(after(&one_is_left));
	assert_false(after(&one_is_left));
	assert_true(portal_verdict_wait_s(&verdict, false, now_s) <= 1);
	assert_true(after(&closed));
}

static void it_goes_when_something_shows_it(void **state)
{
	(void)state;
	after(&closed);
	assert_true(after(&closed));
	/* Nobody has said that the way is open. */
	assert_true(after(&nothing));
	assert_true(after(&nothing));
	assert_true(after(&nothing));
	assert_false(after(&open_));
}

/* The portal's box is off: it is for others to say that. */
static void silence_ends_it_at_last(void **state)
{
	double since_s;

	(void)state;
	after(&closed);
	after(&closed);
	after(&nothing);
	after(&closed);
	since_s = now_s;
	while (after(&nothing))
		assert_true(now_s < since_s + 60);
	assert_true(now_s >= since_s + 30);
}

static void silence_alone_has_to_do(void **state)
{
	(void)state;
	after(&closed_alone);
	assert_true(after(&closed_alone));
	assert_true(after(&nothing_alone));
	assert_true(after(&closed_alone));
	assert_true(after(&nothing_alone));
	assert_false(after(&nothing_alone));
}

/* Within a day, while all is well. */
static void few_rounds(void **state)
{
	int rounds = 0;

	(void)state;
	for (; now_s < 1000 + 86400; rounds++)
		after(&nothing);
	assert_in_range(rounds, 280, 300);
}

static void often_while_somebody_logs_in(void **state)
{
	(void)state;
	after(&closed);
	after(&closed);
	assert_true(portal_verdict_wait_s(&verdict, true, now_s + 30) <= 1);
	assert_true(portal_verdict_wait_s(&verdict, false, now_s + 100) >= 10);
	assert_true(portal_verdict_wait_s(&verdict, true, now_s + 100) >= 30);
	verdict.guest_s = now_s + 90;
	assert_true(portal_verdict_wait_s(&verdict, true, now_s + 100) <= 1);
}

/* Doubts have it asked at once, and ever more rarely while nothing comes of it. */
static void doubts(void **state)
{
	int asked = 0;

	(void)state;
	while (now_s < 1400)
		after(&nothing);
	for (int second = 0; second < 3600; second++) {
		now_s++;
		if (!portal_verdict_doubt(&verdict, now_s))
			continue;
		if (asked++ == 0)
			assert_true(second < 11);
		portal_verdict_ask(&verdict, now_s);
		portal_verdict_take(&verdict, &nothing, now_s);
	}
	assert_in_range(asked, 10, 20);
	now_s += 400;
	assert_true(portal_verdict_doubt(&verdict, now_s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_answer_is_none, begin),
		cmocka_unit_test_setup(an_exit_knows_better, begin),
		cmocka_unit_test_setup(each_exit_has_its_say, begin),
		cmocka_unit_test_setup(it_goes_when_something_shows_it, begin),
		cmocka_unit_test_setup(silence_ends_it_at_last, begin),
		cmocka_unit_test_setup(silence_alone_has_to_do, begin),
		cmocka_unit_test_setup(few_rounds, begin),
		cmocka_unit_test_setup(often_while_somebody_logs_in, begin),
		cmocka_unit_test_setup(doubts, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
