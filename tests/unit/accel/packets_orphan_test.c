/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long pairs of a hawserd that was killed are forwarded. */
#include "accel/packets_orphan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/types.h>

#include "hawser_packets.h"

#define SECOND 1000000000ULL
#define LAST   (100000 * SECOND)

static struct hawser_packets_pair pair;

static int setup(void **state)
{
	(void)state;
	pair = (struct hawser_packets_pair){.word = HAWSER_PACKETS_ONE | HAWSER_PACKETS_TAKEN};
	pair.legs[0].last_ns = LAST - 5 * SECOND;
	pair.legs[1].last_ns = LAST;
	return 0;
}

static void assert_lasts(uint64_t seconds)
{
	assert_true(packets_orphan_pair_lasts(&pair, LAST + (seconds - 1) * SECOND));
	assert_false(packets_orphan_pair_lasts(&pair, LAST + (seconds + 1) * SECOND));
	assert_int_equal(pair.word & HAWSER_PACKETS_STATE, HAWSER_PACKETS_FREE);
	assert_false(packets_orphan_pair_lasts(&pair, LAST));
}

static void one_that_is_idle(void **state)
{
	(void)state;
	assert_lasts(2 * 3600 + 240);
}

static void one_that_has_ended(void **state)
{
	(void)state;
	pair.word = HAWSER_PACKETS_CLOSED;
	assert_lasts(60);
}

static void one_that_was_reset(void **state)
{
	(void)state;
	pair.resets = 1;
	pair.reset_ns = LAST;
	assert_lasts(60);
}

static void one_whose_reset_was_wrong(void **state)
{
	(void)state;
	pair.resets = 1;
	pair.reset_ns = LAST - SECOND;
	assert_lasts(2 * 3600 + 240);
}

static void one_that_was_not_taken(void **state)
{
	(void)state;
	for (uint64_t is = HAWSER_PACKETS_FREE; is <= HAWSER_PACKETS_CLOSED; is++)
		if (is != HAWSER_PACKETS_TAKEN && is != HAWSER_PACKETS_CLOSED) {
			pair.word = is;
			assert_false(packets_orphan_pair_lasts(&pair, LAST));
			assert_int_equal(pair.word, HAWSER_PACKETS_FREE);
		}
}

/* A living one is not taken for dead because it spoke just after this one looked at the clock. */
static void owners(void **state)
{
	(void)state;
	assert_true(packets_orphan_owner_lives(LAST, LAST));
	assert_true(packets_orphan_owner_lives(LAST + 1, LAST));
	assert_true(packets_orphan_owner_lives(LAST + SECOND, LAST));
	assert_true(packets_orphan_owner_lives(LAST, LAST + HAWSER_PACKETS_ALIVE_NS - 1));
	assert_false(packets_orphan_owner_lives(LAST, LAST + HAWSER_PACKETS_ALIVE_NS));
	assert_false(packets_orphan_owner_lives(0, LAST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_that_is_idle, setup),
		cmocka_unit_test_setup(one_that_has_ended, setup),
		cmocka_unit_test_setup(one_that_was_reset, setup),
		cmocka_unit_test_setup(one_whose_reset_was_wrong, setup),
		cmocka_unit_test_setup(one_that_was_not_taken, setup),
		cmocka_unit_test(owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
