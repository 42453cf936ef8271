/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The largest packet is found whatever it is, in few rounds, and although some are lost. */
#include "doctor/mtu_search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* 64 is known to pass, 1500 not to; at most three waits. */
static void test_every_size(void **state)
{
	(void)state;
	for (unsigned int mtu = 64; mtu < 1500; mtu++) {
		struct mtu_search search = {.passes = 64, .fails = 1500};
		unsigned int sizes[MTU_SEARCH_SIZES];
		unsigned int rounds = 0;
		size_t count;

		while ((count = mtu_search_next(&search, sizes)) > 0) {
			bool passed[MTU_SEARCH_SIZES];

			assert_true(count <= MTU_SEARCH_SIZES);
			for (size_t i = 0; i < count; i++) {
				assert_true(sizes[i] > search.passes && sizes[i] < search.fails);
				assert_true(i == 0 || sizes[i] > sizes[i - 1]);
				passed[i] = sizes[i] <= mtu;
			}
			mtu_search_take(&search, sizes, passed, count);
			rounds++;
		}
		assert_int_equal(search.passes, mtu);
		assert_true(rounds <= 3);
	}
}

static void test_nothing_to_ask(void **state)
{
	struct mtu_search search = {.passes = 64, .fails = 65};
	unsigned int sizes[MTU_SEARCH_SIZES];

	(void)state;
	assert_int_equal(mtu_search_next(&search, sizes), 0);
}

static void test_lost_by_chance(void **state)
{
	struct mtu_search search = {.passes = 100, .fails = 200};
	const unsigned int sizes[] = {110, 120, 130, 140};
	const bool passed[] = {true, false, true, false};

	(void)state;
	mtu_search_take(&search, sizes, passed, 4);
	assert_int_equal(search.passes, 130);
	assert_int_equal(search.fails, 140);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size),
		cmocka_unit_test(test_nothing_to_ask),
		cmocka_unit_test(test_lost_by_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
