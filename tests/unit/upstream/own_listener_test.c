/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which destinations are our own listeners. The linker puts __wrap_route_is_own in place of what
 * asks the kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/way.h"
#include "upstream/own_listener.h"

static int kernel_says;
static int questions;

int __wrap_route_is_own(struct netlink *netlink, const union address *to);

int __wrap_route_is_own(struct netlink *netlink, const union address *to)
{
	(void)netlink;
	(void)to;
	questions++;
	return kernel_says;
}

static int is_at(const char *text)
{
	static const char *const at[] = {"0.0.0.0:1090", "[::]:1090", "192.0.2.7:1080"};
	struct listen_config listen[sizeof(at) / sizeof(*at)];
	const struct config config = {.listen = listen, .listen_count = sizeof(at) / sizeof(*at)};
	union address to;

	for (size_t i = 0; i < config.listen_count; i++)
		assert_int_equal(address_parse(at[i], &listen[i].address), 0);
	assert_int_equal(address_parse(text, &to), 0);
	questions = 0;
	return own_listener_is_at(&config, NULL, &to);
}

static void the_kernel_says_which_addresses_are_ours(void **state)
{
	(void)state;
	kernel_says = 1;
	assert_int_equal(is_at("192.0.2.9:1090"), 1);
	assert_int_equal(is_at("[2001:db8::9]:1090"), 1);
	kernel_says = 0;
	assert_int_equal(is_at("192.0.2.9:1090"), 0);
	assert_int_equal(is_at("[2001:db8::9]:1090"), 0);
	kernel_says = -ENOBUFS;
	assert_int_equal(is_at("192.0.2.9:1090"), -ENOBUFS);
}

static void it_is_asked_only_of_our_ports(void **state)
{
	(void)state;
	kernel_says = 1;
	assert_int_equal(is_at("192.0.2.9:1091"), 0);
	assert_int_equal(is_at("192.0.2.9:1080"), 0);
	assert_int_equal(is_at("192.0.2.7:1080"), 1);
	assert_int_equal(questions, 0);
}

static void any_address_is_one_of_ours(void **state)
{
	(void)state;
	kernel_says = 0;
	assert_int_equal(is_at("0.0.0.0:1080"), 1);
	assert_int_equal(is_at("0.0.0.0:1090"), 1);
	assert_int_equal(is_at("[::]:1090"), 1);
	assert_int_equal(is_at("[::]:1080"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_says_which_addresses_are_ours),
		cmocka_unit_test(it_is_asked_only_of_our_ports),
		cmocka_unit_test(any_address_is_one_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
