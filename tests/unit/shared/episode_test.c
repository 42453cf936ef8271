/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Told once when it begins and once when it is over. */
#include "shared/episode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void begins_once(void **state)
{
	struct episode episode = EPISODE_INITIALIZER;

	(void)state;
	assert_float_equal(episode_since_s(&episode), 0, 0);
	assert_true(episode_goes_on(&episode, 100));
	assert_false(episode_goes_on(&episode, 101));
	assert_false(episode_goes_on(&episode, 150));
	assert_float_equal(episode_since_s(&episode), 100, 0);
}

static void is_over_after_a_while(void **state)
{
	struct episode episode = EPISODE_INITIALIZER;

	(void)state;
	assert_float_equal(episode_ends(&episode, 90), 0, 0);
	episode_goes_on(&episode, 100);
	episode_goes_on(&episode, 141);
	assert_float_equal(episode_ends(&episode, 150.9), 0, 0);
	assert_false(episode_goes_on(&episode, 150.9));
	assert_float_equal(episode_ends(&episode, 160.8), 0, 0);
	assert_float_equal(episode_ends(&episode, 161), 50.9, 0.001);
	assert_float_equal(episode_ends(&episode, 162), 0, 0);
	assert_true(episode_goes_on(&episode, 163));
}

/* It began and ended in one moment. */
static void of_a_moment_is_one_too(void **state)
{
	struct episode episode = EPISODE_INITIALIZER;

	(void)state;
	episode_goes_on(&episode, 100);
	assert_true(episode_ends(&episode, 110) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_once),
		cmocka_unit_test(is_over_after_a_while),
		cmocka_unit_test(of_a_moment_is_one_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
