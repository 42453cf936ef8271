/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a link that was set aside stays so. */
#include "link_demotion_fixture.h"

static void it_is_tried_again_and_held_for_longer(void **state)
{
	(void)state;
	demote();
	run(59, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	run(1, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	demote();
	run(119, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	run(1, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

static void after_a_good_time_it_is_held_for_as_short_as_at_first(void **state)
{
	(void)state;
	demote();
	run(60, 47, 0);
	run(200, 47, 20);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(3, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	run(5, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	run(59, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	run(1, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

static void who_answers_quickly_comes_back_before(void **state)
{
	(void)state;
	demote();
	sights[SAT].ping_us = 301000;
	run(10, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	sights[SAT].ping_us = 40000;
	run(2, 47, 0);
	sights[SAT].ping_us = 600000;
	run(1, 47, 0);
	sights[SAT].ping_us = 40000;
	run(2, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	run(1, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

/* Echoes were late as its queue was full, which it is not any more. */
static void an_empty_queue_is_no_reason_to_come_back(void **state)
{
	(void)state;
	sights[SAT].ping_us = 1500000;
	demote();
	sights[SAT].ping_us = 600000;
	run(50, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
}

/* Nobody answers there: only the time is left. */
static void silence_is_not_quick(void **state)
{
	(void)state;
	sights[SAT].ping_us = 0;
	demote();
	run(10, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
}

static void another_modem_begins_anew(void **state)
{
	(void)state;
	demote();
	links[SAT].device = 9;
	mark();
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	run(4, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
}

/* A demoted link whose carrier goes is lost like any other, and judged anew after that. */
static void a_lost_link_is_lost(void **state)
{
	(void)state;
	demote();
	links[SAT].paths[IP_V4].works = false;
	mark();
	links[SAT].paths[IP_V4].works = true;
	mark();
	assert_int_equal(links[SAT].state, LINK_STATE_UP);
	demote();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_tried_again_and_held_for_longer, setup),
		cmocka_unit_test_setup(after_a_good_time_it_is_held_for_as_short_as_at_first,
				       setup),
		cmocka_unit_test_setup(who_answers_quickly_comes_back_before, setup),
		cmocka_unit_test_setup(an_empty_queue_is_no_reason_to_come_back, setup),
		cmocka_unit_test_setup(silence_is_not_quick, setup),
		cmocka_unit_test_setup(another_modem_begins_anew, setup),
		cmocka_unit_test_setup(a_lost_link_is_lost, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
