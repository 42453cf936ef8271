/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session/doorway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MAX 8

static struct doorway doorway;
static struct doorway_place places[64];
static size_t used;

static union address address_of(const char *text)
{
	union address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

/* Whoever has to make room does. Returns the number of that one, -1 for nobody. */
static int enter(const char *client)
{
	const union address address = address_of(client);
	struct doorway_place *next = doorway_find_next(&doorway, &address);
	const int number = next ? (int)(next - places) : -1;

	if (next) {
		assert_ptr_equal(next->owner, next);
		doorway_leave(&doorway, next);
	}
	assert_int_equal(doorway_enter(&doorway, &places[used], &address, &places[used]), 0);
	used++;
	return number;
}

static int setup(void **state)
{
	(void)state;
	doorway = (struct doorway){.max = MAX};
	used = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < used; i++)
		doorway_leave(&doorway, &places[i]);
	assert_int_equal(doorway.count, 0);
	assert_null(doorway.sources);
	return 0;
}

static void one_source_crowds_out_itself(void **state)
{
	(void)state;
	assert_int_equal(enter("192.0.2.1:1"), -1);
	for (int i = 1; i <= MAX / 2; i++)
		assert_int_equal(enter("192.0.2.2:1000"), -1);
	for (int i = 1; i <= 20; i++)
		assert_int_equal(enter("192.0.2.2:2000"), i);
	assert_int_equal(doorway.count, 1 + MAX / 2);
}

static void a_household_is_one_source(void **state)
{
	const union address member = address_of("[2001:db8::77]:7");

	(void)state;
	for (int i = 0; i < MAX / 2; i++) {
		char text[64];

		snprintf(text, sizeof(text), "[2001:db8::%x:1]:%d", i, 1000 + i);
		assert_int_equal(enter(text), -1);
	}
	assert_int_equal(doorway_count(&doorway, &member), MAX / 2);
	assert_int_equal(enter("[2001:db8:0:1::1]:1"), -1);
	assert_int_equal(enter("[2001:db8::ffff]:1"), 0);
	/* v4-mapped ones are not of one household. */
	assert_int_equal(enter("[::ffff:192.0.2.1]:1"), -1);
	assert_int_equal(enter("[::ffff:192.0.2.2]:1"), -1);
	assert_int_equal(enter("192.0.2.1:2"), -1);
}

static void the_worst_source_makes_room(void **state)
{
	(void)state;
	enter("192.0.2.1:1");
	enter("192.0.2.2:1");
	for (int i = 0; i < 3; i++)
		enter("192.0.2.3:1"); /* 2, 3, 4 */
	enter("192.0.2.2:2");
	enter("192.0.2.4:1");
	enter("192.0.2.5:1");
	assert_int_equal(enter("192.0.2.6:1"), 2);
	/* Two with two each now: the one that came first. */
	assert_int_equal(enter("192.0.2.7:1"), 1);
	assert_int_equal(enter("192.0.2.8:1"), 3);
	/* One each. */
	assert_int_equal(enter("192.0.2.9:1"), 0);
	assert_int_equal(doorway.count, MAX);
}

static void who_left_has_left(void **state)
{
	(void)state;
	for (int i = 0; i < MAX / 2; i++)
		enter("192.0.2.1:1");
	doorway_leave(&doorway, &places[0]);
	doorway_leave(&doorway, &places[0]);
	doorway_leave(&doorway, &places[3]);
	assert_int_equal(enter("192.0.2.1:1"), -1);
	assert_int_equal(enter("192.0.2.1:1"), -1);
	assert_int_equal(enter("192.0.2.1:1"), 1);
}

#define DOORWAY(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DOORWAY(one_source_crowds_out_itself),
		DOORWAY(a_household_is_one_source),
		DOORWAY(the_worst_source_makes_room),
		DOORWAY(who_left_has_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
