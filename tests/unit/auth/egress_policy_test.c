/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where clients are connected to, and where not. The linker puts __wrap_route_is_own in place of
 * what asks the kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/egress_policy.h"
#include "net/way.h"
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

		if (!egress_is_special(&address))
			fail_msg("%s", special[i]);
	}
	for (size_t i = 0; i < sizeof(ordinary) / sizeof(*ordinary); i++) {
		const union address address = parse(ordinary[i]);

		if (egress_is_special(&address))
			fail_msg("%s", ordinary[i]);
	}
}

static const char *const own[] = {"192.0.2.7", "[2001:db8::7]", "127.0.0.9", "[::1]", "0.0.0.0"};
static int kernel_fails; /* -errno */

int __wrap_route_is_own(struct netlink *netlink, const union address *to);

int __wrap_route_is_own(struct netlink *netlink, const union address *to)
{
	(void)netlink;
	if (kernel_fails)
		return kernel_fails;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		const union address address = parse(own[i]);

		if (address_same_ip(&address, to))
			return 1;
	}
	return 0;
}

static int check(const struct egress_policy *policy, const char *client, const char *to)
{
	const union address from = parse(client);
	const union address address = parse(to);

	return egress_check(policy, NULL, &from, &address);
}

#define ABROAD "203.0.113.1"

static bool allows(const struct egress_policy *policy, const char *to)
{
	const int err = check(policy, ABROAD, to);

	if (err)
		assert_int_equal(err, -EACCES);
	return err == 0;
}

static void some_may_be_allowed(void **state)
{
	struct prefix allow;
	const struct egress_policy policy = {
		.kind = EGRESS_NOT_SPECIAL, .allow = &allow, .allow_count = 1};
	const struct egress_policy none = {.kind = EGRESS_NOT_SPECIAL};

	(void)state;
	assert_int_equal(prefix_parse("127.0.0.0/24", &allow), 0);
	assert_true(allows(&policy, "127.0.0.9"));
	assert_true(allows(&policy, "[::ffff:127.0.0.9]"));
	assert_false(allows(&policy, "127.0.1.9"));
	assert_false(allows(&none, "127.0.0.9"));
	assert_false(allows(&none, "192.0.2.7"));
	assert_true(allows(&none, "192.0.2.1"));
}

/* A token's destinations do not open what the exit keeps closed. */
static void a_token_has_its_own(void **state)
{
	struct token token = {.to_count = 2};
	struct prefix allow;
	const struct egress_policy policy = {.kind = EGRESS_NOT_SPECIAL, .token = &token};
	const struct egress_policy open = {
		.kind = EGRESS_NOT_SPECIAL, .token = &token, .allow = &allow, .allow_count = 1};

	(void)state;
	assert_int_equal(prefix_parse("192.0.2.0/24", &token.to[0]), 0);
	assert_int_equal(prefix_parse("10.0.0.0/8", &token.to[1]), 0);
	assert_int_equal(prefix_parse("0.0.0.0/0", &allow), 0);
	assert_true(allows(&policy, "192.0.2.1"));
	assert_false(allows(&policy, "192.0.2.7"));
	assert_false(allows(&policy, "192.0.3.1"));
	assert_false(allows(&policy, "10.0.0.1"));
	assert_true(allows(&open, "10.0.0.1"));
	assert_true(allows(&open, "192.0.2.7"));
	assert_false(allows(&open, "192.168.0.1"));
}

/* Also where an IPv6 address wraps one of ours. */
static void own_addresses_are_for_clients_on_this_host(void **state)
{
	static const char *const hidden[] = {"192.0.2.7",
					     "[2001:db8::7]",
					     "127.0.0.9",
					     "[::1]",
					     "0.0.0.0",
					     "[::ffff:192.0.2.7]",
					     "[::192.0.2.7]",
					     "[64:ff9b::192.0.2.7]",
					     "[64:ff9b:1::192.0.2.7]",
					     "[2002:c000:207::1]"};
	static const char *const here[] = {"127.0.0.1", "[::1]", "192.0.2.7", "[2001:db8::7]"};
	static const char *const others[] = {ABROAD, "192.0.2.8", "0.0.0.0"};
	const struct egress_policy policy = {.kind = EGRESS_NOT_OWN};

	(void)state;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
		for (size_t n = 0; n < sizeof(others) / sizeof(*others); n++)
			assert_int_equal(check(&policy, others[n], hidden[i]), -EACCES);
		for (size_t n = 0; n < sizeof(here) / sizeof(*here); n++)
			assert_int_equal(check(&policy, here[n], hidden[i]), 0);
	}
	assert_true(allows(&policy, "192.0.2.8"));
	assert_true(allows(&policy, "192.168.0.1"));
	assert_true(allows(&policy, "[64:ff9b::192.0.2.8]"));
	assert_true(allows(&policy, "[2002:c000:208::1]"));
}

static void loopback_alone_may_be_kept(void **state)
{
	const struct egress_policy policy = {.kind = EGRESS_NOT_LOOPBACK};
	const struct egress_policy anywhere = {.kind = EGRESS_ANYWHERE};

	(void)state;
	assert_true(allows(&policy, "192.0.2.7"));
	assert_false(allows(&policy, "127.0.0.9"));
	assert_false(allows(&policy, "[::1]"));
	assert_int_equal(check(&policy, "192.0.2.7", "[::1]"), 0);
	assert_true(allows(&anywhere, "127.0.0.9"));
}

static void where_the_kernel_does_not_say_nobody_gets_through(void **state)
{
	static const enum egress kinds[] = {EGRESS_NOT_OWN, EGRESS_NOT_SPECIAL};

	(void)state;
	kernel_fails = -ENOBUFS;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const struct egress_policy policy = {.kind = kinds[i]};

		assert_int_equal(check(&policy, ABROAD, "198.51.100.1"), -ENOBUFS);
		assert_int_equal(check(&policy, ABROAD, "[64:ff9b::198.51.100.1]"), -ENOBUFS);
	}
	kernel_fails = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_for_everybody_is_special),
		cmocka_unit_test(some_may_be_allowed),
		cmocka_unit_test(a_token_has_its_own),
		cmocka_unit_test(own_addresses_are_for_clients_on_this_host),
		cmocka_unit_test(loopback_alone_may_be_kept),
		cmocka_unit_test(where_the_kernel_does_not_say_nobody_gets_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
