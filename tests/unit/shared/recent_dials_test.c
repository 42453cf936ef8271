/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was dialled a moment ago is known by both of its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/recent_dials.h"

static struct recent_dials *dials;

static int setup(void **state)
{
	(void)state;
	dials = recent_dials_open();
	return dials ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	recent_dials_close(dials);
	return 0;
}

static union address parse(const char *text)
{
	union address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static void add(const char *from, const char *to, double now_s)
{
	const union address a = parse(from);
	const union address b = parse(to);

	recent_dials_add(dials, &a, &b, now_s);
}

static bool has(const char *from, const char *to, double now_s)
{
	const union address a = parse(from);
	const union address b = parse(to);

	return recent_dials_has(dials, &a, &b, now_s);
}

static void each_end_counts(void **state)
{
	(void)state;
	/* One may take the other's slot. */
	add("[2001:db8::1]:40000", "[2001:db8::2]:80", 5);
	assert_true(has("[2001:db8::1]:40000", "[2001:db8::2]:80", 5));
	add("192.0.2.1:40000", "203.0.113.1:80", 5);
	assert_true(has("192.0.2.1:40000", "203.0.113.1:80", 5));
	assert_false(has("192.0.2.1:40001", "203.0.113.1:80", 5));
	assert_false(has("192.0.2.2:40000", "203.0.113.1:80", 5));
	assert_false(has("192.0.2.1:40000", "203.0.113.2:80", 5));
	assert_false(has("192.0.2.1:40000", "203.0.113.1:81", 5));
	assert_false(has("203.0.113.1:80", "192.0.2.1:40000", 5));
}

/* Also where the seconds do not fit into their bits. */
static void it_is_forgotten(void **state)
{
	static const double starts[] = {0, 65530, 65536, 1e9};

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		add("192.0.2.1:40000", "203.0.113.1:80", starts[i]);
		assert_true(has("192.0.2.1:40000", "203.0.113.1:80", starts[i] + 9));
		assert_false(has("192.0.2.1:40000", "203.0.113.1:80", starts[i] + 12));
		assert_false(has("192.0.2.1:40000", "203.0.113.1:80", starts[i] + 60000));
	}
}

static void the_last_ones_are_known_after_many(void **state)
{
	union address from = parse("192.0.2.1:1");
	const union address to = parse("203.0.113.1:80");
	unsigned int known = 0;

	(void)state;
	for (unsigned int port = 1; port <= UINT16_MAX; port++) {
		address_set_port(&from, (uint16_t)port);
		recent_dials_add(dials, &from, &to, 5);
	}
	for (unsigned int port = UINT16_MAX - 99; port <= UINT16_MAX; port++) {
		address_set_port(&from, (uint16_t)port);
		known += recent_dials_has(dials, &from, &to, 5);
	}
	/* Of a hundred, one or two were overwritten by later ones. */
	assert_in_range(known, 80, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_end_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_ones_are_known_after_many, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
