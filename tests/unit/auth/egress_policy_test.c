/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an exit connects to, and where not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/egress_policy.h"
#include "proto/token.h"

static union address parse(const char *text)
{
	union address address;
	char with_port[80];

	snprintf(with_port, sizeof(with_port), "%s:80", text);
	if (address_parse(with_port, &address))
		fail_msg("%s", text);
	return address;
}

static void what_is_not_for_everybody_is_special(void **state)
{
	static const char *const special[] = {
		"0.0.0.0",
		"0.255.255.255",
		"10.0.0.0",
		"10.255.255.255",
		"100.64.0.0",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.255.255",
		"168.63.129.16",
		"169.254.0.0",
		"169.254.169.254",
		"172.16.0.0",
		"172.31.255.255",
		"192.0.0.192",
		"192.168.0.0",
		"192.168.255.255",
		"198.18.0.0",
		"198.19.255.255",
		"224.0.0.1",
		"239.255.255.255",
		"240.0.0.1",
		"255.255.255.255",
		"[::]",
		"[::1]",
		"[::10.0.0.1]",
		"[::8.8.8.8]",
		"[::ffff:10.0.0.1]",
		"[64:ff9b::a00:1]",
		"[64:ff9b:1::1]",
		"[100::1]",
		"[2002:a00:1::1]",
		"[2002:7f00:1::]",
		"[fc00::1]",
		"[fd00:ec2::254]",
		"[fdff::1]",
		"[fe80::1]",
		"[febf::1]",
		"[fec0::1]",
		"[ff02::1]",
		"[64:ff9b::a9fe:a9fe]",
	};
	static const char *const ordinary[] = {
		"1.0.0.0",	     "8.8.8.8",		 "9.255.255.255",
		"11.0.0.0",	     "100.63.255.255",	 "100.128.0.0",
		"126.255.255.255",   "128.0.0.0",	 "168.63.129.15",
		"169.253.255.255",   "169.255.0.0",	 "172.15.255.255",
		"172.32.0.0",	     "192.0.1.0",	 "192.167.255.255",
		"192.169.0.0",	     "198.17.255.255",	 "198.20.0.0",
		"223.255.255.255",   "[2001:4860::1]",	 "[64:ff9b::808:808]",
		"[2002:808:808::1]", "[::ffff:8.8.8.8]", "[fe00::1]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++) {
		const union address address = parse(special[i]);

		if (!guard_is_special(&address))
			fail_msg("%s", special[i]);
	}
	for (size_t i = 0; i < sizeof(ordinary) / sizeof(*ordinary); i++) {
		const union address address = parse(ordinary[i]);

		if (guard_is_special(&address))
			fail_msg("%s", ordinary[i]);
	}
}

static bool allows(const struct guard *guard, const char *text)
{
	const union address address = parse(text);

	return guard_allows(guard, &address);
}

static void some_may_be_allowed(void **state)
{
	struct prefix allow;
	const struct guard guard = {.allow = &allow, .allow_count = 1};
	const struct guard none = {0};

	(void)state;
	assert_int_equal(prefix_parse("127.0.0.0/24", &allow), 0);
	assert_true(allows(&guard, "127.0.0.9"));
	assert_true(allows(&guard, "[::ffff:127.0.0.9]"));
	assert_false(allows(&guard, "127.0.1.9"));
	assert_false(allows(&none, "127.0.0.9"));
	assert_true(allows(&none, "192.0.2.1"));
}

/* A token's destinations do not open what the exit keeps closed. */
static void a_token_has_its_own(void **state)
{
	struct token token = {.to_count = 2};
	struct prefix allow;
	const struct guard guard = {.token = &token};
	const struct guard open = {.token = &token, .allow = &allow, .allow_count = 1};

	(void)state;
	assert_int_equal(prefix_parse("192.0.2.0/24", &token.to[0]), 0);
	assert_int_equal(prefix_parse("10.0.0.0/8", &token.to[1]), 0);
	assert_int_equal(prefix_parse("0.0.0.0/0", &allow), 0);
	assert_true(allows(&guard, "192.0.2.1"));
	assert_false(allows(&guard, "192.0.3.1"));
	assert_false(allows(&guard, "10.0.0.1"));
	assert_true(allows(&open, "10.0.0.1"));
	assert_false(allows(&open, "192.168.0.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_for_everybody_is_special),
		cmocka_unit_test(some_may_be_allowed),
		cmocka_unit_test(a_token_has_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
