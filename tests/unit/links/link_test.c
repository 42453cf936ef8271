/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link is found to be, of made-up pictures of the network. */
#include "links/link.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DSL 7
#define LTE 8

static struct net_device devices[3];
static struct net_address addresses[8];
static struct net_route routes[8];
static struct net_view view;

static union address ip(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix.base;
}

static void has_address(int device, const char *text, uint8_t bits, uint32_t flags)
{
	addresses[view.address_count++] = (struct net_address){
		.device = device, .address = ip(text), .bits = bits, .flags = flags};
}

static void has_route(int device, const char *gateway, uint32_t table, uint32_t metric)
{
	const union address address = ip(gateway);

	routes[view.route_count++] = (struct net_route){.device = device,
							.family = address_family(&address),
							.gateway = address,
							.table = table,
							.metric = metric};
}

static int setup(void **state)
{
	(void)state;
	view = (struct net_view){
		.devices = devices, .device_count = 3, .addresses = addresses, .routes = routes};
	devices[0] = (struct net_device){1, "lo", .up = true, .running = true, .loopback = true};
	devices[1] = (struct net_device){DSL, "dsl0", .up = true, .running = true};
	devices[2] = (struct net_device){LTE, "lte0", .up = true, .running = true};
	return 0;
}

static struct link dsl(void)
{
	return (struct link){.config = {.name = "dsl", .device = "dsl0"}, .table = 28001};
}

static void assert_ip(const union address *address, const char *expected)
{
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(address_format_ip(address, text), expected);
}

static void states_in_order(void **state)
{
	struct link link = dsl();

	(void)state;
	devices[1].name[0] = 'x';
	link_find_paths(&link, &view);
	assert_string_equal(link_state_name(link.state), "no-device");
	assert_int_equal(link.device, 0);
	devices[1].name[0] = 'd';
	devices[1].up = devices[1].running = false;
	link_find_paths(&link, &view);
	assert_string_equal(link_state_name(link.state), "down");
	devices[1].up = true;
	link_find_paths(&link, &view);
	assert_string_equal(link_state_name(link.state), "no-carrier");
	devices[1].running = true;
	link_find_paths(&link, &view);
	assert_string_equal(link_state_name(link.state), "no-address");
	has_address(DSL, "192.0.2.7", 24, 0);
	link_find_paths(&link, &view);
	assert_string_equal(link_state_name(link.state), "no-gateway");
	assert_false(link.paths[IP_V4].routed);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	link_find_paths(&link, &view);
	assert_string_equal(link_state_name(link.state), "up");
	assert_int_equal(link.device, DSL);
	assert_true(link.paths[IP_V4].works);
	assert_false(link.paths[IP_V6].works);
	link.config.role = LINK_ROLE_OFF;
	link_find_paths(&link, &view);
	assert_string_equal(link_state_name(link.state), "off");
	assert_false(link.paths[IP_V4].routed);
}

static void without_carrier_it_stays_routed(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	devices[1].running = false;
	link_find_paths(&link, &view);
	assert_true(link.paths[IP_V4].routed);
	assert_false(link.paths[IP_V4].works);
}

static void the_best_address(void **state)
{
	struct link link = dsl();

	(void)state;
	has_route(DSL, "fe80::1", RT_TABLE_MAIN, 1024);
	has_address(LTE, "2001:db8:9::9", 64, 0);
	has_address(DSL, "fd00::1", 64, 0);
	has_address(DSL, "2001:db8::1", 64, IFA_F_DEPRECATED);
	link_find_paths(&link, &view);
	assert_ip(&link.paths[IP_V6].address, "fd00::1");
	has_address(DSL, "2001:db8::2", 64, IFA_F_TENTATIVE);
	has_address(DSL, "2001:db8::3", 64, IFA_F_TENTATIVE | IFA_F_DADFAILED);
	has_address(DSL, "2001:db8::4", 64, IFA_F_TEMPORARY);
	link_find_paths(&link, &view);
	assert_ip(&link.paths[IP_V6].address, "2001:db8::4");
	has_address(DSL, "2001:db8::5", 64, 0);
	has_address(DSL, "2001:db8::6", 64, 0);
	link_find_paths(&link, &view);
	assert_ip(&link.paths[IP_V6].address, "2001:db8::5");
}

static void the_best_route(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_route(LTE, "192.0.2.9", RT_TABLE_MAIN, 0);
	has_route(DSL, "192.0.2.8", 28001, 0);
	routes[1].ours = true;
	link_find_paths(&link, &view);
	assert_string_equal(link_state_name(link.state), "no-gateway");
	has_route(DSL, "192.0.2.1", 100, 0);
	link_find_paths(&link, &view);
	assert_ip(&link.paths[IP_V4].gateway, "192.0.2.1");
	has_route(DSL, "192.0.2.2", RT_TABLE_MAIN, 200);
	link_find_paths(&link, &view);
	assert_ip(&link.paths[IP_V4].gateway, "192.0.2.2");
	has_route(DSL, "192.0.2.3", RT_TABLE_MAIN, 100);
	link_find_paths(&link, &view);
	assert_ip(&link.paths[IP_V4].gateway, "192.0.2.3");
	link.config.gateway[IP_V4] = ip("198.51.100.1");
	link_find_paths(&link, &view);
	assert_ip(&link.paths[IP_V4].gateway, "198.51.100.1");
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
	link_find_paths(&link, &view);
	view.address_count = view.route_count = 0;
	devices[1].up = devices[1].running = false;
	link_find_paths(&link, &view);
	assert_false(link.paths[IP_V4].routed);
	devices[1].up = devices[1].running = true;
	has_address(DSL, "192.0.2.8", 25, 0);
	has_address(DSL, "2001:db8::7", 64, 0);
	link_find_paths(&link, &view);
	assert_true(link.paths[IP_V4].works);
	assert_ip(&link.paths[IP_V4].gateway, "192.0.2.1");
	assert_true(link.paths[IP_V6].works);
	assert_ip(&link.paths[IP_V6].gateway, "fe80::1");
	addresses[0].address = ip("192.0.2.129");
	link_find_paths(&link, &view);
	assert_false(link.paths[IP_V4].works);
	assert_true(link.paths[IP_V6].works);
	addresses[0].address = ip("192.0.2.8");
	link_find_paths(&link, &view);
	assert_false(link.paths[IP_V4].works);
}

static void point_to_point_needs_no_gateway(void **state)
{
	struct link link = dsl();

	(void)state;
	has_address(DSL, "192.0.2.7", 32, 0);
	devices[1].no_gateway = true;
	link_find_paths(&link, &view);
	assert_true(link.paths[IP_V4].works);
	assert_ip(&link.paths[IP_V4].gateway, "-");
}

static void links_that_are_collected(void **state)
{
	struct link_config listed = {.name = "slow", .device = "lte0", .role = LINK_ROLE_BACKUP};
	struct links_config config = {.link = &listed, .count = 1};
	struct link links[LINKS_MAX];
	size_t count = 0;

	(void)state;
	has_route(1, "127.0.0.1", RT_TABLE_MAIN, 0);
	has_route(LTE, "192.0.2.9", RT_TABLE_MAIN, 0);
	has_route(DSL, "fe80::1", RT_TABLE_MAIN, 0);
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 1);
	assert_string_equal(links[0].config.name, "slow");
	assert_int_equal(links[0].table, 28001);
	config.mode = LINKS_AUTO;
	for (int again = 0; again < 2; again++) {
		links_collect(&config, &view, links, &count);
		assert_int_equal(count, 2);
		assert_string_equal(links[1].config.name, "dsl0");
		assert_int_equal(links[1].config.role, LINK_ROLE_SHARED);
		assert_int_equal(links[1].config.weight, 1);
		assert_int_equal(links[1].table, 28002);
		assert_true(links[1].automatic);
	}
	/* The first has gone: its table is free again. */
	links[0] = links[1];
	count = 1;
	config.link->device[0] = 'x';
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 3);
	assert_int_equal(links[1].table, 28001);
	assert_int_equal(links[2].table, 28003);
}

static void silent_links_go_but_the_last(void **state)
{
	struct link links[2] = {dsl(), dsl()};
	bool silent[2][IP_FAMILIES] = {{true, false}, {false, false}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		links[i].state = LINK_STATE_UP;
		links[i].paths[IP_V4].works = true;
	}
	links_take_out(links, 2, silent);
	assert_string_equal(link_state_name(links[0].state), "no-answer");
	assert_false(links[0].paths[IP_V4].works);
	assert_true(links[1].paths[IP_V4].works);
	/* None is left then: better one that may be there. */
	links[0].state = LINK_STATE_UP;
	links[0].paths[IP_V4].works = true;
	silent[1][IP_V4] = true;
	links_take_out(links, 2, silent);
	assert_int_equal(links[0].state, LINK_STATE_UP);
	assert_true(links[0].paths[IP_V4].works && links[1].paths[IP_V4].works);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(states_in_order, setup),
		cmocka_unit_test_setup(without_carrier_it_stays_routed, setup),
		cmocka_unit_test_setup(the_best_address, setup),
		cmocka_unit_test_setup(the_best_route, setup),
		cmocka_unit_test_setup(a_gateway_is_remembered, setup),
		cmocka_unit_test_setup(point_to_point_needs_no_gateway, setup),
		cmocka_unit_test_setup(links_that_are_collected, setup),
		cmocka_unit_test_setup(silent_links_go_but_the_last, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
