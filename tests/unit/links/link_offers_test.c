/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an endpoint may go, and when it is offered again. */
#include "links/link_offers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DSL, LTE, SAT, COUNT };

static union address at[COUNT];
static struct link_offers offers;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(address_parse("192.0.2.1:1", &at[DSL]), 0);
	assert_int_equal(address_parse("198.51.100.1:1", &at[LTE]), 0);
	assert_int_equal(address_parse("203.0.113.1:1", &at[SAT]), 0);
	offers = (struct link_offers){0};
	return 0;
}

static void test_hold(void **state)
{
	struct link_standing standing = {.users = 2, .alone = 1};

	(void)state;
	assert_int_equal(link_offers_hold(&offers, &at[LTE], false, &standing, 100),
			 LINK_HOLD_BEGINS);
	assert_false(link_offers_due(&offers, 100.5));
	assert_true(link_offers_due(&offers, 101));
	assert_int_equal(link_offers_hold(&offers, &at[LTE], false, &standing, 9000), LINK_HOLD_ON);
	/* Rarer with time. */
	assert_false(link_offers_due(&offers, 9100));
	standing.alone = 0;
	assert_int_equal(link_offers_hold(&offers, &at[LTE], false, &standing, 9600),
			 LINK_HOLD_NONE);
}

static void test_hold_ends(void **state)
{
	const struct link_standing standing = {.users = 1, .alone = 1};

	(void)state;
	assert_int_equal(link_offers_hold(&offers, &at[LTE], true, &standing, 100),
			 LINK_HOLD_BEGINS);
	assert_int_equal(link_offers_hold(&offers, &at[LTE], true, &standing, 129), LINK_HOLD_ON);
	assert_int_equal(link_offers_hold(&offers, &at[LTE], true, &standing, 130), LINK_HOLD_ENDS);
	/* Wanted in between: the time begins anew. */
	link_offers_release(&offers, &at[LTE]);
	assert_int_equal(link_offers_hold(&offers, &at[LTE], true, &standing, 131),
			 LINK_HOLD_BEGINS);
	link_offers_dropped(&offers, &at[LTE]);
	assert_false(link_offers_due(&offers, 9000));
}

static void assert_again(enum link_again again, const struct link_standing *standing, double now_s)
{
	assert_int_equal(link_offers_again(&offers, &at[DSL], standing, now_s), again);
}

static void test_offered_to_those_that_miss_it(void **state)
{
	const struct link_standing standing = {.users = 1, .missing = 2};
	unsigned int times = 0;

	(void)state;
	link_offers_added(&offers, &at[DSL], 100);
	assert_false(link_offers_due(&offers, 101));
	assert_again(LINK_AGAIN_NO, &standing, 101);
	assert_true(link_offers_due(&offers, 102));
	assert_again(LINK_AGAIN_MISSED, &standing, 102);
	assert_again(LINK_AGAIN_NO, &standing, 105);
	assert_again(LINK_AGAIN_MISSED, &standing, 106);
	/* Who never joins is given up. */
	for (int now_s = 107; now_s < 9000; now_s++)
		times +=
			link_offers_again(&offers, &at[DSL], &standing, now_s) == LINK_AGAIN_MISSED;
	assert_int_equal(times, 3);
	assert_false(link_offers_due(&offers, 9000));
}

/* Who has not joined when the way moves will not be answered, nor while the way back is not there;
 * else who is on its way has the time it takes. */
static void test_moved(void **state)
{
	const struct link_standing on_their_way = {.users = 3, .joining = 2};
	const struct link_standing most_joined = {.users = 3, .joining = 1};
	const struct link_standing joined = {.users = 3};

	(void)state;
	link_offers_added(&offers, &at[DSL], 100);
	link_offers_answer(&offers, &at[DSL], 0.04);
	assert_again(LINK_AGAIN_NO, &on_their_way, 102);
	assert_true(link_offers_wait_s(&offers, 102) < 0);
	link_offers_moved(&offers, &at[DSL], false, 102.5);
	assert_true(link_offers_due(&offers, 102.5));
	assert_again(LINK_AGAIN_MOVED, &on_their_way, 102.5);
	assert_float_equal(link_offers_wait_s(&offers, 102.53), 0.02, 1e-6);
	assert_again(LINK_AGAIN_NO, &on_their_way, 102.53);
	/* Who is near has joined by then. */
	assert_again(LINK_AGAIN_NO, &on_their_way, 102.56);
	assert_again(LINK_AGAIN_MOVED, &on_their_way, 102.67);
	assert_again(LINK_AGAIN_NO, &on_their_way, 102.8);
	assert_again(LINK_AGAIN_NO, &joined, 103.1);
	assert_true(link_offers_wait_s(&offers, 103.1) < 0);
	assert_again(LINK_AGAIN_NO, &on_their_way, 104);
	link_offers_moved(&offers, &at[DSL], false, 106);
	assert_again(LINK_AGAIN_NO, &most_joined, 106);
	/* Nobody was connected at that moment. */
	link_offers_moved(&offers, &at[DSL], false, 110);
	link_offers_passed(&offers, 110);
	assert_again(LINK_AGAIN_NO, &on_their_way, 9000);
	/* Joins have just been sent. */
	link_offers_added(&offers, &at[LTE], 200);
	link_offers_answer(&offers, &at[LTE], 0.04);
	link_offers_moved(&offers, &at[LTE], true, 200.03);
	assert_int_equal(link_offers_again(&offers, &at[LTE], &on_their_way, 200.03),
			 LINK_AGAIN_NO);
	assert_int_equal(link_offers_again(&offers, &at[LTE], &on_their_way, 200.14),
			 LINK_AGAIN_MOVED);
	/* One that has no endpoint. */
	link_offers_moved(&offers, &at[SAT], false, 106);
	assert_false(link_offers_due(&offers, 106));
}

/* Who is never answered is given up, after ever longer waits, as the path may be a slow one. */
static void test_moved_to_where_nobody_answers(void **state)
{
	const struct link_standing on_their_way = {.users = 1, .joining = 1};
	double last_s = 0;
	double longest_s = 0;
	int times = 0;

	(void)state;
	link_offers_added(&offers, &at[DSL], 0);
	link_offers_answer(&offers, &at[DSL], 0.04);
	link_offers_moved(&offers, &at[DSL], false, 1);
	for (int now_ms = 1000; now_ms < 100000; now_ms += 10) {
		const double now_s = now_ms / 1e3;

		if (link_offers_again(&offers, &at[DSL], &on_their_way, now_s) == LINK_AGAIN_NO)
			continue;
		longest_s = times > 0 ? fmax(longest_s, now_s - last_s) : 0;
		last_s = now_s;
		times++;
	}
	assert_int_equal(times, 5);
	assert_true(longest_s > 0.7 && longest_s < 1);
	assert_true(link_offers_wait_s(&offers, 100) < 0);
}

/* How often joins are ended and sent again, of which the first is answered after 0.5 s. */
static int count_moved(double answer_s)
{
	const struct link_standing on_their_way = {.users = 1, .joining = 1};
	const struct link_standing joined = {.users = 1};
	int times = 0;

	link_offers_added(&offers, &at[DSL], 100);
	link_offers_answer(&offers, &at[DSL], answer_s);
	link_offers_moved(&offers, &at[DSL], false, 110);
	for (int now_ms = 0; now_ms < 5000; now_ms += 10)
		times +=
			link_offers_again(&offers, &at[DSL], now_ms < 500 ? &on_their_way : &joined,
					  110 + now_ms / 1e3) == LINK_AGAIN_MOVED;
	link_offers_dropped(&offers, &at[DSL]);
	return times;
}

static void test_a_join_that_is_slow_is_not_in_vain(void **state)
{
	const struct link_standing some_never_join = {.users = 1, .joining = 1, .missing = 2};
	const struct link_standing some_wait = {.users = 3, .joining = 1, .waiting = 1};

	(void)state;
	assert_int_equal(count_moved(0), 1);
	assert_int_equal(count_moved(0.45), 1);
	/* It was not known to take that long. */
	assert_true(count_moved(0.04) > 1);
	/* Nor is it ended for others. */
	link_offers_added(&offers, &at[DSL], 200);
	link_offers_moved(&offers, &at[DSL], false, 210);
	assert_again(LINK_AGAIN_MOVED, &some_never_join, 210);
	assert_again(LINK_AGAIN_NO, &some_never_join, 210.06);
	assert_again(LINK_AGAIN_NO, &some_wait, 210.2);
}

/* All links were silent at once, or their routes gone: TCP has doubled its waiting. One link after
 * the other is made again, as what joins by it lets the next go. */
static void test_moved_after_silence(void **state)
{
	const struct link_standing unheard = {.users = 1, .served = 1, .unheard = 1};
	const struct link_standing heard = {.users = 1, .served = 1};
	const struct link_standing alone = {.users = 1, .alone = 1};
	const struct link_standing joining = {.users = 1, .joining = 1};
	const struct link_standing sheltered = {
		.users = 1, .alone = 1, .sheltered = 1, .unheard = 1};

	(void)state;
	link_offers_added(&offers, &at[DSL], 100);
	link_offers_added(&offers, &at[LTE], 100);
	/* By a way on which something came until then. */
	link_offers_moved(&offers, &at[DSL], false, 110);
	assert_again(LINK_AGAIN_NO, &unheard, 110);
	link_offers_moved(&offers, &at[DSL], true, 120);
	link_offers_moved(&offers, &at[LTE], true, 120);
	assert_again(LINK_AGAIN_UNHEARD, &unheard, 120);
	assert_int_equal(link_offers_again(&offers, &at[LTE], &alone, 120), LINK_AGAIN_NO);
	/* The join is on its way, then there, and nothing has come by it yet. */
	assert_again(LINK_AGAIN_NO, &joining, 120.06);
	assert_again(LINK_AGAIN_NO, &unheard, 120.2);
	assert_int_equal(link_offers_again(&offers, &at[LTE], &unheard, 120.2), LINK_AGAIN_UNHEARD);
	/* What there is beside goes, as it is on a link that is lost. */
	link_offers_added(&offers, &at[SAT], 100);
	link_offers_moved(&offers, &at[SAT], true, 125);
	assert_int_equal(link_offers_again(&offers, &at[SAT], &sheltered, 125), LINK_AGAIN_UNHEARD);
	/* Something has come before anybody looked. */
	link_offers_moved(&offers, &at[DSL], true, 130);
	assert_again(LINK_AGAIN_NO, &heard, 130);
	assert_again(LINK_AGAIN_NO, &unheard, 130.5);
}

static void test_not_offered(void **state)
{
	/* Some would be without a subflow meanwhile. */
	const struct link_standing some_alone = {
		.users = 1, .alone = 1, .missing = 9, .waiting = 9};
	/* It would cost more than it brings. */
	const struct link_standing most_joined = {.users = 2, .missing = 2};

	(void)state;
	link_offers_added(&offers, &at[DSL], 100);
	assert_again(LINK_AGAIN_NO, &some_alone, 102);
	assert_again(LINK_AGAIN_NO, &most_joined, 106);
}

static void test_offered_to_those_that_wait(void **state)
{
	const struct link_standing standing = {.users = 9, .missing = 1, .waiting = 1};
	const struct link_standing alone = {.users = 1, .alone = 1};

	(void)state;
	link_offers_added(&offers, &at[DSL], 100);
	for (int now_s = 100; now_s < 5000; now_s++)
		(void)link_offers_again(&offers, &at[DSL], &(struct link_standing){0}, now_s);
	assert_false(link_offers_due(&offers, 5000));
	/* Long ago; then somebody needs it. */
	(void)link_offers_hold(&offers, &at[LTE], false, &alone, 6000);
	assert_again(LINK_AGAIN_MISSED, &standing, 6000);
}

/* There is no connection, or the kernel does not tell of any: then nobody is judged. */
static void test_who_cannot_be_judged_is_looked_at_later(void **state)
{
	const struct link_standing alone = {.users = 1, .alone = 1};
	int looks = 0;

	(void)state;
	link_offers_added(&offers, &at[DSL], 100);
	for (int now_s = 100; now_s < 1000; now_s++) {
		looks += link_offers_due(&offers, now_s);
		link_offers_passed(&offers, now_s);
	}
	assert_int_equal(looks, 5);
	/* One that only stays is looked at more rarely, and never not at all. */
	assert_int_equal(link_offers_hold(&offers, &at[LTE], false, &alone, 1000),
			 LINK_HOLD_BEGINS);
	for (int now_s = 1000; now_s < 2000; now_s++) {
		looks += link_offers_due(&offers, now_s);
		link_offers_passed(&offers, now_s);
	}
	assert_in_range(looks, 5 + 30, 5 + 100);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_hold, setup),
		cmocka_unit_test_setup(test_hold_ends, setup),
		cmocka_unit_test_setup(test_offered_to_those_that_miss_it, setup),
		cmocka_unit_test_setup(test_moved, setup),
		cmocka_unit_test_setup(test_moved_to_where_nobody_answers, setup),
		cmocka_unit_test_setup(test_a_join_that_is_slow_is_not_in_vain, setup),
		cmocka_unit_test_setup(test_moved_after_silence, setup),
		cmocka_unit_test_setup(test_not_offered, setup),
		cmocka_unit_test_setup(test_offered_to_those_that_wait, setup),
		cmocka_unit_test_setup(test_who_cannot_be_judged_is_looked_at_later, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
