/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who goes through a portal, for how long, and how many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "links/portal_door.h"
#include "shared/portal_guests.h"

static union address ip(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix.base;
}

static void known_for_a_time(void **state)
{
	struct portal_guests *guests = portal_guests_open();
	union address a = ip("192.0.2.1");
	const union address b = ip("2001:db8::1");

	(void)state;
	assert_int_equal(portal_guests_find(guests, &a, 1000), -1);
	portal_guests_note(guests, &a, 3, 1000);
	address_set_port(&a, 4711);
	assert_int_equal(portal_guests_find(guests, &a, 1000 + PORTAL_GUEST_S - 1), 3);
	assert_int_equal(portal_guests_find(guests, &b, 1001), -1);
	assert_int_equal(portal_guests_find(guests, &a, 1000 + PORTAL_GUEST_S), -1);
	portal_guests_note(guests, &a, 0, 2000);
	portal_guests_note(guests, &b, 5, 2000);
	assert_int_equal(portal_guests_find(guests, &a, 2000), 0);
	assert_int_equal(portal_guests_find(guests, &b, 2000), 5);
	portal_guests_forget(guests, 1U << 5 | 1U << 3);
	assert_int_equal(portal_guests_find(guests, &a, 2000), 0);
	assert_int_equal(portal_guests_find(guests, &b, 2000), -1);
	portal_guests_close(guests);
}

static void the_first_makes_room(void **state)
{
	struct portal_guests *guests = portal_guests_open();
	char text[32];

	(void)state;
	for (int i = 0; i <= PORTAL_GUESTS_MAX; i++) {
		union address client;

		snprintf(text, sizeof(text), "192.0.2.%d", i);
		client = ip(text);
		portal_guests_note(guests, &client, (unsigned int)i % 16, 1000 + i);
	}
	for (int i = 0; i <= PORTAL_GUESTS_MAX; i++) {
		union address client;

		snprintf(text, sizeof(text), "192.0.2.%d", i);
		client = ip(text);
		assert_int_equal(portal_guests_find(guests, &client, 1100), i == 0 ? -1 : i % 16);
	}
	portal_guests_close(guests);
}

static void doors(void **state)
{
	char url[PORTAL_DOOR_URL_MAX];

	(void)state;
	for (unsigned int slot = 0; slot < 16; slot++) {
		union address door = portal_door(slot);
		const union address nobody = portal_nobody(slot);

		assert_int_equal(portal_door_slot(&door), slot);
		/* What a hawserd behind this one asks. */
		assert_int_equal(portal_door_slot(&nobody), -1);
		address_set_port(&door, 443);
		assert_int_equal(portal_door_slot(&door), -1);
	}
	assert_string_equal(portal_door_url(15, url), "http://203.0.113.116/");
	assert_string_equal(portal_nobody_url(15, url), "http://198.51.100.116/");
	for (size_t i = 0; i < 4; i++) {
		static const char *const others[] = {"203.0.113.100", "203.0.113.117",
						     "2001:db8::65", "192.0.2.101"};
		union address other = ip(others[i]);

		address_set_port(&other, 80);
		assert_int_equal(portal_door_slot(&other), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_for_a_time),
		cmocka_unit_test(the_first_makes_room),
		cmocka_unit_test(doors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
