/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What counts against a quota, and when a month begins. */
#include "links/quota_usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOON_S 43200

static struct quota_usage usage;

static int setup(void **state)
{
	(void)state;
	memset(&usage, 0, sizeof(usage));
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	return 0;
}

/* Local time, noon unless told. */
static time_t at(int year, int month, int day)
{
	struct tm local = {.tm_year = year - 1900,
			   .tm_mon = month - 1,
			   .tm_mday = day,
			   .tm_hour = 12,
			   .tm_isdst = -1};

	return mktime(&local);
}

static void take(time_t now, int device, uint64_t counter)
{
	quota_usage_take(&usage, now, 15, device, counter);
}

static void assert_month(time_t now, unsigned int reset_day, const char *first, const char *next)
{
	char text[LINK_DAY_TEXT_MAX];

	quota_usage_month(now, reset_day, false, text);
	assert_string_equal(text, first);
	quota_usage_month(now, reset_day, true, text);
	assert_string_equal(text, next);
}

static void months_begin_on_the_reset_day(void **state)
{
	(void)state;
	assert_month(at(2026, 11, 23), 1, "2026-11-01", "2026-12-01");
	assert_month(at(2026, 11, 14), 15, "2026-10-15", "2026-11-15");
	assert_month(at(2026, 11, 15), 15, "2026-11-15", "2026-12-15");
	assert_month(at(2026, 12, 31), 15, "2026-12-15", "2027-01-15");
	assert_month(at(2027, 1, 1), 15, "2026-12-15", "2027-01-15");
	/* The day begins at midnight, local time. */
	assert_month(at(2026, 11, 15) - NOON_S, 15, "2026-11-15", "2026-12-15");
	assert_month(at(2026, 11, 15) - NOON_S - 1, 15, "2026-10-15", "2026-11-15");
}

static void shorter_months_begin_on_their_last_day(void **state)
{
	(void)state;
	assert_month(at(2027, 2, 27), 31, "2027-01-31", "2027-02-28");
	assert_month(at(2027, 2, 28), 31, "2027-02-28", "2027-03-31");
	assert_month(at(2028, 2, 28), 31, "2028-01-31", "2028-02-29");
	assert_month(at(2028, 2, 29), 30, "2028-02-29", "2028-03-30");
	/* With glibc, 32-bit machines know no time after 2038. */
	if (sizeof(time_t) > 4)
		assert_month(at(2100, 2, 28), 29, "2100-02-28", "2100-03-29");
	assert_month(at(2027, 4, 30), 31, "2027-04-30", "2027-05-31");
}

static void what_was_before_the_first_look_does_not_count(void **state)
{
	(void)state;
	take(at(2026, 11, 20), 3, 5000);
	assert_int_equal(usage.month.bytes, 0);
	assert_string_equal(usage.month.since, "2026-11-15");
	take(at(2026, 11, 20), 3, 5700);
	assert_int_equal(usage.month.bytes, 700);
}

static void an_interface_that_was_made_anew_counts_from_0(void **state)
{
	(void)state;
	take(at(2026, 11, 20), 3, 5000);
	take(at(2026, 11, 20), 3, 6000);
	take(at(2026, 11, 20), 4, 7000); /* another */
	assert_int_equal(usage.month.bytes, 8000);
	take(at(2026, 11, 20), 4, 500); /* its counter was reset */
	assert_int_equal(usage.month.bytes, 8500);
}

static void all_since_a_reboot_counts(void **state)
{
	(void)state;
	take(at(2026, 11, 20), 3, 5000);
	take(at(2026, 11, 20), 3, 6000);
	quota_usage_reboot(&usage);
	take(at(2026, 11, 20), 3, 9000);
	assert_int_equal(usage.month.bytes, 10000);
}

static void a_new_month_begins_at_0(void **state)
{
	(void)state;
	take(at(2026, 11, 20), 3, 0);
	take(at(2026, 12, 14), 3, 1000);
	assert_int_equal(usage.month.bytes, 1000);
	take(at(2026, 12, 15), 3, 1200);
	assert_int_equal(usage.month.bytes, 200);
	assert_string_equal(usage.month.since, "2026-12-15");
}

/* A router without a clock of its own wakes up in 1970. */
static void a_clock_that_is_set_back_ends_no_month(void **state)
{
	(void)state;
	take(at(2026, 11, 20), 3, 0);
	take(at(1970, 1, 2), 3, 1000);
	take(at(2026, 11, 20), 3, 1500);
	assert_int_equal(usage.month.bytes, 1500);
	assert_string_equal(usage.month.since, "2026-11-15");
}

/* What it has been said to be before is gone on with. */
static void a_clock_that_was_ahead_loses_nothing(void **state)
{
	(void)state;
	take(at(2026, 11, 20), 3, 0);
	take(at(2026, 11, 20), 3, 1000);
	take(at(2036, 1, 20), 3, 1200);
	assert_int_equal(usage.month.bytes, 200);
	take(at(2026, 11, 21), 3, 1500);
	assert_string_equal(usage.month.since, "2026-11-15");
	assert_int_equal(usage.month.bytes, 1300);
	/* The next month begins when it should. */
	take(at(2026, 12, 15), 3, 1600);
	assert_string_equal(usage.month.since, "2026-12-15");
	assert_int_equal(usage.month.bytes, 100);
}

/* Nothing is known of any other month. */
static void a_clock_that_was_ahead_from_the_start(void **state)
{
	(void)state;
	take(at(2036, 1, 20), 3, 0);
	take(at(2036, 1, 20), 3, 1000);
	take(at(2026, 11, 20), 3, 1500);
	assert_string_equal(usage.month.since, "2026-11-15");
	take(at(2026, 12, 20), 3, 1600);
	assert_string_equal(usage.month.since, "2026-12-15");
}

/* As OpenWrt sets it before it has asked for the time: to that of the newest file. */
static void a_clock_that_is_weeks_behind_for_a_while(void **state)
{
	(void)state;
	take(at(2026, 10, 20), 3, 0);
	take(at(2026, 11, 20), 3, 1000);
	for (int boots = 0; boots < 5; boots++) {
		quota_usage_reboot(&usage);
		take(at(2026, 10, 25), 3, 10);
		take(at(2026, 11, 20), 3, 110);
	}
	assert_string_equal(usage.month.since, "2026-11-15");
	assert_int_equal(usage.month.bytes, 1000 + 5 * 100);
}

static void another_reset_day_earlier_in_the_month(void **state)
{
	(void)state;
	take(at(2026, 11, 20), 3, 0);
	take(at(2026, 11, 20), 3, 1000);
	quota_usage_take(&usage, at(2026, 11, 20), 1, 3, 1200);
	assert_int_equal(usage.month.bytes, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(months_begin_on_the_reset_day, setup),
		cmocka_unit_test_setup(shorter_months_begin_on_their_last_day, setup),
		cmocka_unit_test_setup(what_was_before_the_first_look_does_not_count, setup),
		cmocka_unit_test_setup(an_interface_that_was_made_anew_counts_from_0, setup),
		cmocka_unit_test_setup(all_since_a_reboot_counts, setup),
		cmocka_unit_test_setup(a_new_month_begins_at_0, setup),
		cmocka_unit_test_setup(a_clock_that_is_set_back_ends_no_month, setup),
		cmocka_unit_test_setup(another_reset_day_earlier_in_the_month, setup),
		cmocka_unit_test_setup(a_clock_that_is_weeks_behind_for_a_while, setup),
		cmocka_unit_test_setup(a_clock_that_was_ahead_from_the_start, setup),
		cmocka_unit_test_setup(a_clock_that_was_ahead_loses_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
