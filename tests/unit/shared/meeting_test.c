/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left for a session is taken once, by the one whose ends it has, or dropped in time. */
#include "shared/meeting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int dropped;

static void drop(void *item)
{
	dropped += *(int *)item;
}

static union address at(const char *text)
{
	union address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static void taken_once_by_its_own(void **state)
{
	struct meeting *meeting = meeting_open(drop);
	const union address client = at("10.0.0.2:1000");
	const union address other_port = at("10.0.0.2:1001");
	const union address other_host = at("10.0.0.3:1000");
	const union address to = at("192.0.2.1:80");
	const union address to6 = at("[2001:db8::1]:80");
	int items[] = {1, 10};

	(void)state;
	assert_non_null(meeting);
	dropped = 0;
	meeting_leave(meeting, &client, &to, &items[0], 5.);
	meeting_leave(meeting, &other_port, &to, &items[1], 5.);
	assert_false(meeting_has(meeting, &other_host, &to));
	assert_null(meeting_take(meeting, &client, &to6));
	assert_null(meeting_take(meeting, &to, &client));
	assert_ptr_equal(meeting_take(meeting, &client, &to), &items[0]);
	assert_null(meeting_take(meeting, &client, &to));
	assert_true(meeting_has(meeting, &other_port, &to));
	meeting_close(meeting);
	assert_int_equal(dropped, 10);
}

static void dropped_in_time(void **state)
{
	struct meeting *meeting = meeting_open(drop);
	const union address client = at("[fd00::2]:1000");
	const union address to[] = {at("[fd01::1]:80"), at("[fd01::1]:81"), at("[fd01::1]:82")};
	int items[] = {1, 10, 100};

	(void)state;
	assert_non_null(meeting);
	dropped = 0;
	for (int i = 0; i < 3; i++)
		meeting_leave(meeting, &client, &to[i], &items[i], i == 1 ? 9. : 5.);
	assert_int_equal(meeting_tidy(meeting, 4.), 0);
	assert_int_equal(meeting_count(meeting), 3);
	assert_int_equal(dropped, 0);
	assert_int_equal(meeting_tidy(meeting, 5.), 2);
	assert_int_equal(meeting_tidy(meeting, 6.), 2);
	assert_int_equal(meeting_count(meeting), 1);
	assert_int_equal(dropped, 101);
	assert_ptr_equal(meeting_take(meeting, &client, &to[1]), &items[1]);
	assert_int_equal(meeting_count(meeting), 0);
	assert_int_equal(meeting_tidy(meeting, 7.), 0);
	meeting_close(meeting);
	meeting_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_once_by_its_own),
		cmocka_unit_test(dropped_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
