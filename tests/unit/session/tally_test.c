/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes by client and exit in bounded memory: none is lost, and who carries much keeps its name. */
#include "session/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tally tally;

static union address address_of(unsigned int number)
{
	union address address = {0};

	address.in4.sin_family = AF_INET;
	address.in4.sin_addr.s_addr = htonl(0x0a000000 + number);
	return address;
}

static void add(unsigned int number, uint64_t up, uint64_t down)
{
	const union address address = address_of(number);

	tally_add(&tally, &address, NULL, "", up, down);
}

static struct tally_client find(unsigned int number)
{
	const union address address = address_of(number);

	for (size_t i = 0; i < tally.client_count && i < TALLY_CLIENTS_MAX; i++)
		if (!*tally.clients[i].token &&
		    address_same_ip(&tally.clients[i].address, &address))
			return tally.clients[i];
	return (struct tally_client){0};
}

static struct tally_client sum(void)
{
	struct tally_client found = {0};

	for (size_t i = 0; i < tally.client_count; i++) {
		found.up += tally.clients[i].up;
		found.down += tally.clients[i].down;
	}
	return found;
}

static int end(void **state)
{
	(void)state;
	tally_free(&tally);
	return 0;
}

static void by_address_or_token(void **state)
{
	const union address address = address_of(1);

	(void)state;
	add(1, 1, 2);
	tally_add(&tally, &address, "home", "vps", 10, 20);
	tally_add(&tally, &address, "away", "vps", 100, 0);
	tally_add(&tally, &(union address){0}, "home", "", 1000, 2000);
	tally_add(&tally, &address, "none", "", 0, 0);
	assert_int_equal(tally.client_count, 3);
	assert_int_equal(find(1).down, 2);
	assert_string_equal(tally.clients[1].token, "home");
	assert_int_equal(tally.clients[1].up, 1010);
	assert_int_equal(tally.exit_count, 2);
	assert_int_equal(tally.exits[1].up, 110);
}

/* Nothing is written behind the table, and nothing is lost. */
static void more_than_have_room(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		add(i, 1, 2);
	assert_int_equal(tally.client_count, TALLY_CLIENTS_MAX + 1);
	assert_int_equal(sum().up, 5000);
	assert_int_equal(sum().down, 10000);
	/* Who has a place keeps it. */
	assert_int_equal(find(0).up, 1);
	add(0, 1, 1);
	assert_int_equal(find(0).up, 2);
	assert_int_equal(tally.clients[TALLY_CLIENTS_MAX].address.sa.sa_family, AF_UNSPEC);
}

/* Whenever in the minute they come. */
static void who_carries_much_keeps_its_name(void **state)
{
	(void)state;
	add(100000, 1000, 0);
	for (unsigned int i = 0; i < 700; i++)
		add(i, 0, 1 + i % 3);
	add(100001, 0, 2000);
	for (unsigned int i = 0; i < 100; i++)
		add(200000 + i, 10, i);
	for (unsigned int i = 700; i < 1400; i++)
		add(i, 1, 0);
	assert_int_equal(find(100000).up, 1000);
	assert_int_equal(find(100001).down, 2000);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(find(200000 + i).down, i);
	/* All are found where they are, also after others went. */
	for (unsigned int i = 0; i < 100; i++)
		add(200000 + i, 1, 0);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(find(200000 + i).up, 11);
	assert_int_equal(tally.client_count, TALLY_CLIENTS_MAX + 1);
	assert_int_equal(sum().up, 1000 + 100 * 11 + 700);
}

static void taken(void **state)
{
	struct tally out;

	(void)state;
	add(1, 1, 0);
	tally_take(&tally, &out);
	assert_int_equal(out.client_count, 1);
	assert_int_equal(tally.client_count, 0);
	add(1, 2, 0);
	assert_int_equal(find(1).up, 2);
	tally_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(by_address_or_token, end),
		cmocka_unit_test_teardown(more_than_have_room, end),
		cmocka_unit_test_teardown(who_carries_much_keeps_its_name, end),
		cmocka_unit_test_teardown(taken, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
