/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Totals and rates of a link, by a clock of the test's. */
#include "links/link_rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct link_rates meter;
static double now_s;
static struct link_bytes counters;

static int setup(void **state)
{
	(void)state;
	memset(&meter, 0, sizeof(meter));
	now_s = 1000;
	counters = (struct link_bytes){.rx = 5000000, .tx = 7};
	return 0;
}

static void take(void)
{
	link_rates_take(&meter, now_s, 3, &counters);
}

/* A look every second at a steady flow. */
static void run(unsigned int seconds, uint64_t rx, uint64_t tx)
{
	for (unsigned int i = 0; i < seconds; i++) {
		now_s += 1;
		counters.rx += rx;
		counters.tx += tx;
		take();
	}
}

static void assert_rate(enum link_span span, uint64_t rx, uint64_t tx)
{
	const struct link_bytes rate = link_rates_rate(&meter, span);

	assert_int_equal(rate.rx, rx);
	assert_int_equal(rate.tx, tx);
}

static void nothing_yet(void **state)
{
	(void)state;
	for (enum link_span span = 0; span < LINK_SPANS; span++)
		assert_rate(span, 0, 0);
	take();
	for (enum link_span span = 0; span < LINK_SPANS; span++)
		assert_rate(span, 0, 0);
	assert_int_equal(meter.total.rx, 0);
}

static void what_has_passed_of_a_span_counts(void **state)
{
	(void)state;
	take();
	run(10, 1000, 10);
	for (enum link_span span = 0; span < LINK_SPANS; span++)
		assert_rate(span, 1000, 10);
	assert_int_equal(meter.total.rx, 10000);
	assert_int_equal(meter.total.tx, 100);
}

static void each_span_forgets_in_its_time(void **state)
{
	(void)state;
	take();
	run(3600, 6000, 60);
	assert_rate(LINK_SPAN_HOUR, 6000, 60);
	run(1, 0, 0);
	assert_rate(LINK_SPAN_SECOND, 0, 0);
	assert_rate(LINK_SPAN_MINUTE, 5900, 59);
	run(29, 0, 0);
	assert_rate(LINK_SPAN_MINUTE, 3000, 30);
	run(30, 0, 0);
	assert_rate(LINK_SPAN_MINUTE, 0, 0);
	assert_rate(LINK_SPAN_HOUR, 5900, 59);
	run(3600, 0, 0);
	assert_rate(LINK_SPAN_HOUR, 0, 0);
	assert_int_equal(meter.total.rx, 3600 * 6000);
}

static void looks_may_be_late(void **state)
{
	(void)state;
	take();
	now_s += 1.3;
	counters.rx += 1300;
	take();
	assert_rate(LINK_SPAN_SECOND, 1000, 0);
	now_s += 10;
	counters.rx += 100;
	take();
	/* Nothing is known of one second alone. */
	assert_rate(LINK_SPAN_SECOND, 0, 0);
	assert_rate(LINK_SPAN_MINUTE, (uint64_t)(1400 / 11.3), 0);
}

static void counters_may_begin_anew(void **state)
{
	(void)state;
	take();
	run(1, 1000, 0);
	counters = (struct link_bytes){.rx = 300};
	now_s += 1;
	take();
	assert_int_equal(meter.total.rx, 1300);
	/* Another interface, even if it has carried more. */
	counters = (struct link_bytes){.rx = 400};
	now_s += 1;
	link_rates_take(&meter, now_s, 4, &counters);
	assert_int_equal(meter.total.rx, 1700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_yet, setup),
		cmocka_unit_test_setup(what_has_passed_of_a_span_counts, setup),
		cmocka_unit_test_setup(each_span_forgets_in_its_time, setup),
		cmocka_unit_test_setup(looks_may_be_late, setup),
		cmocka_unit_test_setup(counters_may_begin_anew, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
