/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which route a link has, and what it is when that goes. */
#include "link_fixture.h"

static void without_carrier_it_stays_routed(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	devices[1].running = false;
	look(&link);
	assert_true(link.paths[IP_V4].routed);
	assert_false(link.paths[IP_V4].works);
}

static void the_best_route(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_route(LTE, "192.0.2.9", RT_TABLE_MAIN, 0);
	has_route(DSL, "192.0.2.8", 28001, 0);
	routes[1].ours = true;
	look(&link);
	assert_string_equal(link_state_name(link.state), "no-gateway");
	has_route(DSL, "192.0.2.1", 100, 0);
	look(&link);
	assert_ip(&link.paths[IP_V4].gateway, "192.0.2.1");
	has_route(DSL, "192.0.2.2", RT_TABLE_MAIN, 200);
	look(&link);
	assert_ip(&link.paths[IP_V4].gateway, "192.0.2.2");
	has_route(DSL, "192.0.2.3", RT_TABLE_MAIN, 100);
	look(&link);
	assert_ip(&link.paths[IP_V4].gateway, "192.0.2.3");
	link.config.gateway[IP_V4] = ip("198.51.100.1");
	look(&link);
	assert_ip(&link.paths[IP_V4].gateway, "198.51.100.1");
}

static void for_some_sources(const char *from)
{
	assert_int_equal(prefix_parse(from, &routes[view.route_count - 1].from), 0);
}

/* A route leads out with an address that it is for, of this interface rather than of another. */
static void routes_for_some_sources(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "2001:db8:1::7", 64, 0);
	has_address(LTE, "2001:db8:2::7", 64, 0);
	has_route(DSL, "fe80::3", RT_TABLE_MAIN, 1);
	for_some_sources("2001:db8:3::/48");
	look(&link);
	assert_ip(&link.paths[IP_V6].address, "-");
	has_route(DSL, "fe80::2", RT_TABLE_MAIN, 512);
	for_some_sources("2001:db8:2::/48");
	look(&link);
	assert_ip(&link.paths[IP_V6].address, "2001:db8:2::7");
	assert_ip(&link.paths[IP_V6].gateway, "fe80::2");
	has_route(DSL, "fe80::1", RT_TABLE_MAIN, 512);
	for_some_sources("2001:db8:1::/48");
	look(&link);
	assert_ip(&link.paths[IP_V6].address, "2001:db8:1::7");
	assert_ip(&link.paths[IP_V6].gateway, "fe80::1");
	has_route(DSL, "fe80::4", RT_TABLE_MAIN, 100);
	look(&link);
	assert_ip(&link.paths[IP_V6].address, "2001:db8:1::7");
	assert_ip(&link.paths[IP_V6].gateway, "fe80::4");
}

static size_t collect(struct link links[LINKS_MAX], size_t count)
{
	static const struct links_config config = {.mode = LINKS_AUTO};

	assert_null(links_collect(&config, &view, links, &count));
	return count;
}

/* Of two gateways' prefixes, both by way of the same neighbour at first. */
static void prefixes_of_a_mesh(void **state)
{
	const struct links_config config = {.mode = LINKS_AUTO};
	struct link links[LINKS_MAX];
	bool again;

	(void)state;
	has_address(1, "2001:db8:1::7", 128, 0);
	has_address(1, "2001:db8:2::7", 128, 0);
	has_address(DSL, "198.51.100.7", 24, 0);
	for (size_t i = 0; i < 3; i++) {
		static const char *const from[] = {"2001:db8:1::/48", "2001:db8:2::/48",
						   "2001:db8:3::/48"};

		has_route(DSL, "fe80::1", RT_TABLE_MAIN, 0);
		for_some_sources(from[i]);
		routes[i].roams = true;
	}
	view.ways[IP_V6].device = 0; /* a VPN takes all */
	assert_int_equal(collect(links, 0), 0);
	view.ways[IP_V6].device = DSL;
	devices[1].vpn = true; /* a tunnel of the mesh, which takes nothing from it */
	links_obey_vpn(&config, &view);
	assert_int_equal(collect(links, 0), 2); /* no address is of the third */
	assert_int_equal(collect(links, 2), 2);
	assert_string_equal(links[1].config.name, "2001:db8:2::");
	link_find_paths(&links[1], &view, now_s, &again);
	assert_int_equal(links[1].device, DSL);
	assert_ip(&links[1].paths[IP_V6].address, "2001:db8:2::7");
	assert_int_equal(links[1].paths[IP_V4].address.sa.sa_family, AF_UNSPEC);
	routes[1].device = LTE;
	link_find_paths(&links[1], &view, now_s, &again);
	assert_int_equal(links[1].device, LTE);
	assert_string_equal(links[1].config.device, "lte0");
	assert_true(links[1].paths[IP_V6].works);
	/* The gateway goes. */
	routes[1].from.bits = 47;
	link_find_paths(&links[1], &view, now_s, &again);
	assert_true(again);
	link_find_paths(&links[1], &view, now_s + LINK_WITHDRAWN_S, &again);
	assert_string_equal(link_state_name(links[1].state), "no-gateway");
	assert_ip(&links[1].paths[IP_V6].address, "2001:db8:2::7");
	assert_false(link_is_over(&links[1], false, now_s + 59));
	assert_true(link_is_over(&links[1], false, now_s + 60));
}

/* The kernel forgets routes when an interface goes down, and a gateway of the same subnet serves
 * again. */
static void a_gateway_is_remembered(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 25, 0);
	has_address(DSL, "2001:db8::7", 64, 0);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	has_route(DSL, "fe80::1", RT_TABLE_MAIN, 0);
	look(&link);
	view.address_count = view.route_count = 0;
	devices[1].up = devices[1].running = false;
	look(&link);
	assert_false(link.paths[IP_V4].routed);
	devices[1].up = devices[1].running = true;
	has_address(DSL, "192.0.2.8", 25, 0);
	has_address(DSL, "2001:db8::7", 64, 0);
	look(&link);
	assert_true(link.paths[IP_V4].works);
	assert_ip(&link.paths[IP_V4].gateway, "192.0.2.1");
	assert_true(link.paths[IP_V6].works);
	assert_ip(&link.paths[IP_V6].gateway, "fe80::1");
	addresses[0].address = ip("192.0.2.129");
	look(&link);
	assert_false(link.paths[IP_V4].works);
	assert_true(link.paths[IP_V6].works);
	addresses[0].address = ip("192.0.2.8");
	look(&link);
	assert_false(link.paths[IP_V4].works);
}

/* The kernel would refuse that route each second, for ever. */
static void an_own_address_is_no_gateway(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	look(&link);
	assert_true(link.paths[IP_V4].works);
	/* The old router goes, and this one is it from now on. */
	view.route_count = 0;
	link.shaken = true;
	addresses[0].address = ip("192.0.2.1");
	look(&link);
	assert_string_equal(link_state_name(link.state), "no-gateway");
	assert_false(link.paths[IP_V4].routed);
	/* Nor one that another interface has, nor one that is configured. */
	addresses[0].address = ip("192.0.2.7");
	link.config.gateway[IP_V4] = ip("192.0.2.2");
	look(&link);
	assert_true(link.paths[IP_V4].works);
	has_address(LTE, "192.0.2.2", 24, 0);
	look(&link);
	assert_false(link.paths[IP_V4].routed);
}

/* Two of one base are two links of a mesh, of two names. */
static void prefixes_of_one_base(void **state)
{
	struct link links[LINKS_MAX];

	(void)state;
	view.ways[IP_V6].device = DSL;
	has_address(1, "2001:db8::7", 128, 0);
	for (size_t i = 0; i < 2; i++) {
		has_route(DSL, "fe80::1", RT_TABLE_MAIN, 0);
		for_some_sources(i ? "2001:db8::/56" : "2001:db8::/48");
		routes[i].roams = true;
	}
	assert_int_equal(collect(links, 0), 2);
	assert_string_equal(links[0].config.name, "2001:db8::");
	assert_string_equal(links[1].config.name, "2001:db8::-auto");
}

static void point_to_point_needs_no_gateway(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 32, 0);
	devices[1].no_gateway = true;
	look(&link);
	assert_true(link.paths[IP_V4].works);
	assert_ip(&link.paths[IP_V4].gateway, "-");
}

static void a_withdrawn_route_ends_it(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "2001:db8::7", 64, 0);
	has_route(DSL, "fe80::1", RT_TABLE_MAIN, 1024);
	assert_false(look(&link));
	view.route_count = 0;
	assert_true(look(&link));
	assert_true(link.paths[IP_V6].works);
	now_s += LINK_WITHDRAWN_S / 2;
	assert_true(look(&link));
	now_s += LINK_WITHDRAWN_S;
	assert_false(look(&link));
	assert_string_equal(link_state_name(link.state), "no-gateway");
	now_s += 100;
	look(&link);
	assert_false(link.paths[IP_V6].routed);
	has_route(DSL, "fe80::2", RT_TABLE_MAIN, 1024);
	look(&link);
	assert_true(link.paths[IP_V6].works);
}

/* Some DHCP clients take the route out and put it back at each renewal. */
static void a_route_that_is_renewed_ends_nothing(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	look(&link);
	for (int i = 0; i < 3; i++) {
		view.route_count = 0;
		look(&link);
		assert_true(link.paths[IP_V4].works);
		view.route_count = 1;
		now_s += LINK_WITHDRAWN_S / 2;
		look(&link);
		assert_true(link.paths[IP_V4].works);
	}
}

/* Also where none is needed, and when the kernel has dropped it with the address, which is back. */
static void a_withdrawn_route_of_a_modem(void **state)
{
	struct link link = dsl();

	(void)state;
	devices[1].no_gateway = true;
	has_address(DSL, "192.0.2.7", 32, 0);
	has_route(DSL, "-", RT_TABLE_MAIN, 0);
	look(&link);
	view.route_count = 0;
	link.shaken = true;
	look(&link);
	now_s += 10;
	assert_false(look(&link));
	assert_true(link.paths[IP_V4].works);
	view.route_count = 1;
	look(&link);
	view.route_count = 0;
	look(&link);
	now_s += 10;
	look(&link);
	assert_string_equal(link_state_name(link.state), "no-gateway");
}

static void a_route_without_gateway(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_route(DSL, "-", RT_TABLE_MAIN, 0);
	look(&link);
	assert_string_equal(link_state_name(link.state), "up");
	assert_ip(&link.paths[IP_V4].gateway, "-");
	/* It is remembered as one with a gateway is. */
	view.route_count = 0;
	devices[1].up = devices[1].running = false;
	look(&link);
	devices[1].up = devices[1].running = true;
	look(&link);
	assert_true(link.paths[IP_V4].works);
}

static void a_gateway_of_the_other_family(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 32, 0);
	has_route(DSL, "fe80::1", RT_TABLE_MAIN, 0);
	routes[0].family = IP_V4;
	look(&link);
	assert_true(link.paths[IP_V4].works);
	assert_ip(&link.paths[IP_V4].gateway, "fe80::1");
}

static void a_preferred_source(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_address(DSL, "192.0.2.8", 24, IFA_F_SECONDARY);
	has_address(1, "198.51.100.7", 32, 0);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	look(&link);
	assert_ip(&link.paths[IP_V4].address, "192.0.2.7");
	routes[0].source = ip("192.0.2.8");
	look(&link);
	assert_ip(&link.paths[IP_V4].address, "192.0.2.8");
	routes[0].source = ip("198.51.100.7"); /* the loopback interface has it */
	look(&link);
	assert_ip(&link.paths[IP_V4].address, "198.51.100.7");
	routes[0].source = ip("198.51.100.8"); /* nobody has it any more */
	look(&link);
	assert_ip(&link.paths[IP_V4].address, "192.0.2.7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_carrier_it_stays_routed, setup),
		cmocka_unit_test_setup(the_best_route, setup),
		cmocka_unit_test_setup(routes_for_some_sources, setup),
		cmocka_unit_test_setup(prefixes_of_a_mesh, setup),
		cmocka_unit_test_setup(a_gateway_is_remembered, setup),
		cmocka_unit_test_setup(an_own_address_is_no_gateway, setup),
		cmocka_unit_test_setup(prefixes_of_one_base, setup),
		cmocka_unit_test_setup(point_to_point_needs_no_gateway, setup),
		cmocka_unit_test_setup(a_withdrawn_route_ends_it, setup),
		cmocka_unit_test_setup(a_route_that_is_renewed_ends_nothing, setup),
		cmocka_unit_test_setup(a_withdrawn_route_of_a_modem, setup),
		cmocka_unit_test_setup(a_route_without_gateway, setup),
		cmocka_unit_test_setup(a_gateway_of_the_other_family, setup),
		cmocka_unit_test_setup(a_preferred_source, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
