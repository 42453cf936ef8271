/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who goes which way. */
#include "shared/affinity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct affinity *affinity;

static int setup(void **state)
{
	(void)state;
	affinity = affinity_open();
	return affinity ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	affinity_close(affinity);
	return 0;
}

static union address at(const char *text)
{
	union address address = {0};

	if (*text)
		assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static struct affinity_pair pair(const char *client, const char *host, const char *to)
{
	const union address from = at(client);
	const union address address = at(to);

	return affinity_pair(affinity, &from, host, &address);
}

static void ports_do_not_count(void **state)
{
	const struct affinity_pair one = pair("10.0.0.1:1000", "", "192.0.2.1:21");

	(void)state;
	assert_true(pair("10.0.0.1:2000", "", "192.0.2.1:50000").hash == one.hash);
	assert_true(pair("10.0.0.2:1000", "", "192.0.2.1:21").hash != one.hash);
	assert_true(pair("10.0.0.1:1000", "", "192.0.2.2:21").hash != one.hash);
	assert_true(pair("192.0.2.1:21", "", "10.0.0.1:1000").hash != one.hash);
	assert_true(pair("[fd77::1]:1", "", "[fd77::2]:21").hash ==
		    pair("[fd77::1]:2", "", "[fd77::2]:22").hash);
	assert_true(pair("[fd77::1]:1", "", "[fd77::2]:21").hash !=
		    pair("[fd77::1]:1", "", "[fd77::3]:21").hash);
}

static void a_name_is_more_than_its_address(void **state)
{
	const struct affinity_pair named = pair("10.0.0.1:1", "Bank.Example", "192.0.2.1:443");

	(void)state;
	assert_true(pair("10.0.0.1:1", "bank.example", "192.0.2.2:443").hash == named.hash);
	assert_true(pair("10.0.0.1:1", "bank.example.", "").hash == named.hash);
	assert_true(pair("10.0.0.1:1", "bank.example.org", "").hash != named.hash);
	assert_true(pair("10.0.0.2:1", "bank.example", "").hash != named.hash);
	assert_true(named.alias == pair("10.0.0.1:1", "", "192.0.2.1:21").hash);
	assert_true(pair("10.0.0.1:1", "bank.example", "").alias == 0);
	assert_true(pair("10.0.0.1:1", "", "192.0.2.1:21").alias == 0);
}

static const struct affinity_way ways[] = {{.id = 1, .weight = 1}, {.id = 2, .weight = 1}};

static size_t choose(struct affinity_pair of, unsigned int choice, double now_s, size_t count)
{
	const struct affinity_asker asker = {
		.affinity = affinity, .pair = of, .keep_s = 10, .now_s = now_s};

	return affinity_choose(&asker, choice, ways, count);
}

/* What was asked for by name, and then by address, as FTP's data connection may be. */
static void an_address_goes_where_its_name_went(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		char to[32];
		struct affinity_pair named;
		size_t way;

		snprintf(to, sizeof(to), "192.0.2.%d:21", i);
		named = pair("10.0.0.1:1", "ftp.example", to);
		way = choose(named, AFFINITY_LINK, 1, 2);
		assert_int_equal(choose(pair("10.0.0.1:2", "", to), AFFINITY_LINK, 2, 2), way);
	}
}

static void choices_are_independent(void **state)
{
	size_t same = 0;

	(void)state;
	for (uint64_t i = 1; i <= 400; i++)
		same += choose((struct affinity_pair){.hash = i}, AFFINITY_EXIT, 1, 2) ==
			choose((struct affinity_pair){.hash = i}, AFFINITY_LINK, 1, 2);
	/* 200, with a deviation of 10. */
	assert_in_range(same, 130, 270);
}

static void what_moved_stays_for_a_time_after_its_last_use(void **state)
{
	struct affinity_pair of = {.hash = 0};

	(void)state;
	/* One whose own way is the second. */
	do
		of.hash++;
	while (choose(of, AFFINITY_LINK, 1, 2) == 0);
	assert_int_equal(choose(of, AFFINITY_LINK, 2, 1), 0);
	for (int now_s = 3; now_s < 60; now_s += 9)
		assert_int_equal(choose(of, AFFINITY_LINK, now_s, 2), 0);
	/* By a worker whose clock is a little behind. */
	assert_int_equal(choose(of, AFFINITY_LINK, 56, 2), 0);
	assert_int_equal(choose(of, AFFINITY_LINK, 90, 2), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ports_do_not_count),
		TEST(a_name_is_more_than_its_address),
		TEST(an_address_goes_where_its_name_went),
		TEST(choices_are_independent),
		TEST(what_moved_stays_for_a_time_after_its_last_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
