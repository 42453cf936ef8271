/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a token may have of speed tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/speed_limit.h"

#define DAY 86400.
#define MAY UINT64_C(1000)

static struct speed_limit limit;
static struct speed_verdict verdict;

static int setup(void **state)
{
	(void)state;
	speed_limit_init(&limit);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	speed_limit_fini(&limit);
	return 0;
}

static bool begin(uint64_t test, uint64_t may, double now_s)
{
	const struct speed_request request = {.kind = SPEED_SOURCE, .seconds = 10, .test = test};

	return speed_limit_begin(&limit, &request, may, now_s, &verdict);
}

static void one_test_at_a_time(void **state)
{
	(void)state;
	assert_true(begin(1, MAY, 0));
	assert_int_equal(verdict.bytes, MAY);
	assert_true(begin(1, MAY, 1));
	assert_false(begin(2, MAY, 2));
	assert_int_equal(verdict.refusal, SPEED_BUSY);
	/* The second connection may last until 11, and then the place is kept. */
	assert_int_equal(verdict.wait_s, 11 - 2 + (int)SPEED_PAUSE_S + 1);
	speed_limit_end(&limit, 3);
	assert_false(begin(2, MAY, 3));
	speed_limit_end(&limit, 4);
	assert_false(begin(2, MAY, 4));
	assert_int_equal(verdict.wait_s, (int)SPEED_PAUSE_S + 1);
	assert_true(begin(2, MAY, 4 + SPEED_PAUSE_S));
	assert_false(begin(1, MAY, 8));
}

static void the_days_bytes_end_and_come_back(void **state)
{
	(void)state;
	assert_true(begin(1, MAY, 100));
	assert_true(speed_limit_charge(&limit, MAY - 1, MAY, 100));
	assert_false(speed_limit_charge(&limit, 1, MAY, 101));
	assert_false(begin(1, MAY, 102));
	assert_int_equal(verdict.refusal, SPEED_USED_UP);
	assert_int_equal(verdict.bytes, MAY);
	assert_int_equal(verdict.wait_s, (int)DAY - 2 + 1);
	/* A reload allows more. */
	assert_true(begin(1, 2 * MAY, 102));
	assert_int_equal(verdict.bytes, MAY);
	assert_true(begin(1, MAY, 100 + DAY));
	assert_int_equal(verdict.bytes, MAY);
}

static void none_is_none(void **state)
{
	(void)state;
	assert_false(begin(1, 0, 0));
	assert_int_equal(verdict.refusal, SPEED_OFF);
}

static void connections_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < SPEED_CONNECTIONS_MAX; i++)
		assert_true(begin(1, MAY, 0));
	assert_false(begin(1, MAY, 0));
	assert_int_equal(verdict.refusal, SPEED_CROWDED);
	speed_limit_end(&limit, 0);
	assert_true(begin(1, MAY, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_test_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(the_days_bytes_end_and_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(none_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(connections_are_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
