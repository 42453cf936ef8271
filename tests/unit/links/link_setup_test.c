/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is set up in a kernel that refuses some of it, as others have it. */
#include "link_kernel_fixture.h"

/* It holds up nothing else, nobody is said to have deleted it, and it is named. */
static void a_refused_route_concerns_one_link(void **state)
{
	(void)state;
	has_links(2);
	links[0].paths[IP_V4].gateway = ip(NO_GATEWAY);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(apply(), -EINVAL);
		assert_string_equal(link_setup_refused(link_setup),
				    "route default via 192.0.2.255 dev dsl0");
		assert_string_equal(link_setup_restored(link_setup), "");
		assert_true(has(1, IP_V4) && has(1, IP_V6) && has(0, IP_V6));
		assert_int_equal(pm.limits.subflows, 8);
	}
	works(1, false);
	assert_int_equal(apply(), -EINVAL);
	assert_false(has(1, IP_V4) || has(1, IP_V6));
	works(1, true);
	links[0].paths[IP_V4].gateway = ip("192.0.2.1");
	assert_int_equal(apply(), 0);
	assert_string_equal(link_setup_refused(link_setup), "");
	assert_string_equal(link_setup_restored(link_setup), "");
	assert_true(has(1, IP_V4) && has(1, IP_V6));
}

/* Counted once it is, and not before. */
static void only_what_is_put_back_is_counted(void **state)
{
	(void)state;
	has_links(1);
	assert_int_equal(apply(), 0);
	pm.count = view.route_count = view.rule_count = 0;
	pm.limits = (struct mptcp_pm_limits){0};
	pm.refuses_all = true;
	assert_int_equal(apply(), -EINVAL);
	assert_string_equal(link_setup_restored(link_setup), "");
	pm.refuses_all = false;
	assert_int_equal(apply(), 0);
	pm.count = view.route_count = view.rule_count = 0;
	pm.limits = (struct mptcp_pm_limits){0};
	assert_int_equal(apply(), 0);
	assert_string_equal(link_setup_restored(link_setup),
			    "rules: 4, routes: 2, endpoints: 2, limits: 1");
	assert_int_equal(apply(), 0);
	assert_string_equal(link_setup_restored(link_setup), "");
}

/* It serves, and nobody looks at connections for it, whatever the kernel would say. */
static void what_others_have_serves(void **state)
{
	static const struct exit_config exit_ = {.place.destination.port = 1080};
	static const struct {
		int device;
		uint32_t flags;
	} kinds[] = {{DSL, MPTCP_PM_ADDR_FLAG_SIGNAL},
		     {0, MPTCP_PM_ADDR_FLAG_SIGNAL},
		     {0, MPTCP_PM_ADDR_FLAG_SUBFLOW},
		     {LTE, MPTCP_PM_ADDR_FLAG_SUBFLOW | MPTCP_PM_ADDR_FLAG_BACKUP},
		     {DSL, MPTCP_PM_ADDR_FLAG_SUBFLOW}};

	for (size_t i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (i > 0) {
			stop(state);
			start(state);
		}
		pm.tells_little = i % 2;
		has_links(1);
		link_setup_meet(link_setup, &exit_, 1);
		others_have(address_of(0, IP_V4), 0, kinds[i / 2].device, kinds[i / 2].flags);
		others_have(address_of(0, IP_V6), 0, kinds[i / 2].device, kinds[i / 2].flags);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(apply(), 0);
			assert_int_equal(pm.asked, 0);
			assert_int_equal(pm.looks, 0);
			assert_false(link_setup_is_disturbed(link_setup));
			assert_string_equal(link_setup_crowded(link_setup), "");
		}
		assert_int_equal(pm.endpoints[0].flags, kinds[i / 2].flags);
	}
}

/* Beside one with a port there may be another, and one that the kernel has made by itself is
 * replaced. */
static void what_others_have_does_not_serve(void **state)
{
	(void)state;
	has_links(1);
	others_have(address_of(0, IP_V4), 1081, 0, MPTCP_PM_ADDR_FLAG_SIGNAL);
	others_have(address_of(0, IP_V6), 0, 0, MPTCP_PM_FLAG_IMPLICIT);
	assert_int_equal(apply(), 0);
	assert_int_equal(pm.count, 3);
	assert_int_equal(there(address_of(0, IP_V6))->device, DSL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_refused_route_concerns_one_link, start, stop),
		cmocka_unit_test_setup_teardown(only_what_is_put_back_is_counted, start, stop),
		cmocka_unit_test_setup_teardown(what_others_have_serves, start, stop),
		cmocka_unit_test_setup_teardown(what_others_have_does_not_serve, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
