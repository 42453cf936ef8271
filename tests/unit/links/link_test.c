/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link is found to be. */
#include "link_fixture.h"

static void states_in_order(void **state)
{
	struct link link = dsl();

	(void)state;
	devices[1].name[0] = 'x';
	look(&link);
	assert_string_equal(link_state_name(link.state), "no-device");
	assert_int_equal(link.device, 0);
	devices[1].name[0] = 'd';
	devices[1].up = devices[1].running = false;
	look(&link);
	assert_string_equal(link_state_name(link.state), "down");
	devices[1].up = true;
	look(&link);
	assert_string_equal(link_state_name(link.state), "no-carrier");
	devices[1].running = true;
	look(&link);
	assert_string_equal(link_state_name(link.state), "no-address");
	has_address(DSL, "192.0.2.7", 24, 0);
	look(&link);
	assert_string_equal(link_state_name(link.state), "no-gateway");
	assert_false(link.paths[IP_V4].routed);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	look(&link);
	assert_string_equal(link_state_name(link.state), "up");
	assert_int_equal(link.device, DSL);
	assert_true(link.paths[IP_V4].works);
	assert_false(link.paths[IP_V6].works);
	link.config.role = LINK_ROLE_OFF;
	look(&link);
	assert_string_equal(link_state_name(link.state), "off");
	assert_false(link.paths[IP_V4].routed);
}

static void the_best_address(void **state)
{
	struct link link = dsl();

	(void)state;
	has_route(DSL, "fe80::1", RT_TABLE_MAIN, 1024);
	has_address(LTE, "2001:db8:9::9", 64, 0);
	has_address(DSL, "fd00::1", 64, 0);
	has_address(DSL, "2001:db8::1", 64, IFA_F_DEPRECATED);
	look(&link);
	assert_ip(&link.paths[IP_V6].address, "fd00::1");
	has_address(DSL, "2001:db8::2", 64, IFA_F_TENTATIVE);
	has_address(DSL, "2001:db8::3", 64, IFA_F_TENTATIVE | IFA_F_DADFAILED);
	has_address(DSL, "2001:db8::4", 64, IFA_F_TEMPORARY);
	look(&link);
	assert_ip(&link.paths[IP_V6].address, "2001:db8::4");
	has_address(DSL, "2001:db8::5", 64, 0);
	has_address(DSL, "2001:db8::6", 64, 0);
	look(&link);
	assert_ip(&link.paths[IP_V6].address, "2001:db8::5");
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

static void a_vpn_takes_all(void **state)
{
	struct link_config listed = {.name = "vpn", .device = "lte0"};
	struct links_config config = {.mode = LINKS_AUTO};
	struct link links[LINKS_MAX];
	size_t count = 0;

	(void)state;
	devices[2].vpn = true;
	has_address(DSL, "192.0.2.7", 24, 0);
	has_route(DSL, "192.0.2.1", RT_TABLE_MAIN, 0);
	has_route(LTE, "-", 51820, 0);
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 1);
	view.ways[IP_V4] = (struct net_way){LTE, 51820};
	links_obey_vpn(&config, &view);
	look(&links[0]); /* begins while it was a link */
	assert_false(links[0].paths[IP_V4].routed);
	count = 0;
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 0);
	/* Who names it wants it. */
	config.link = &listed;
	config.count = 1;
	view.ways[IP_V4] = (struct net_way){LTE, 51820};
	links_obey_vpn(&config, &view);
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 1);
	assert_string_equal(links[0].config.device, "lte0");
}

/* What a link had before the VPN came is no way past it, whatever happens to its interface, with
 * another index too, as after a redial; nor a while after. */
static void nothing_goes_past_a_vpn(void **state)
{
	const struct links_config config = {.mode = LINKS_AUTO};
	enum { WAIT, SHAKE, REDIAL, GO_DOWN, LOSE_ADDRESS, WAYS };

	for (int way = 0; way < 2 * WAYS; way++) {
		struct link links[LINKS_MAX];
		size_t count = 0;
		const bool modem = way >= WAYS;

		setup(state);
		devices[1].no_gateway = modem;
		devices[2].vpn = true;
		has_address(DSL, "192.0.2.7", modem ? 32 : 24, 0);
		has_route(DSL, modem ? "-" : "192.0.2.1", RT_TABLE_MAIN, 0);
		links_collect(&config, &view, links, &count);
		look(&links[0]);
		assert_true(links[0].paths[IP_V4].works);
		if (way % WAYS == GO_DOWN) {
			devices[1].up = devices[1].running = false;
			look(&links[0]);
		}
		view.ways[IP_V4] = (struct net_way){LTE, 51820};
		links_obey_vpn(&config, &view);
		if (way % WAYS != GO_DOWN)
			look(&links[0]);
		now_s += 10;
		links[0].shaken = way % WAYS == SHAKE;
		if (way % WAYS == REDIAL)
			devices[1].index = addresses[0].device = routes[0].device = 17;
		if (way % WAYS == LOSE_ADDRESS) {
			view.address_count = 0;
			look(&links[0]);
			view.address_count = 1;
		}
		devices[1].up = devices[1].running = true;
		assert_false(look(&links[0]));
		assert_false(links[0].paths[IP_V4].routed);
		assert_ip(&links[0].paths[IP_V4].address, "192.0.2.7");
		/* The VPN ends before the route is back. */
		view.ways[IP_V4] = (struct net_way){0};
		view.route_count = 0;
		links_obey_vpn(&config, &view);
		look(&links[0]);
		assert_false(links[0].paths[IP_V4].routed);
		view.ways[IP_V4] = (struct net_way){devices[1].index, RT_TABLE_MAIN};
		view.route_count = 1;
		links_obey_vpn(&config, &view);
		look(&links[0]);
		assert_true(links[0].paths[IP_V4].works);
	}
}

/* Who configures a link knows where it leads, and a VPN of one family takes nothing of the other.
 */
static void a_vpn_leaves_others_alone(void **state)
{
	const struct links_config config = {.mode = LINKS_AUTO};
	struct link links[LINKS_MAX] = {dsl()};
	size_t count = 1;

	(void)state;
	devices[1].no_gateway = true;
	devices[2].vpn = true;
	has_address(DSL, "192.0.2.7", 32, 0);
	has_address(DSL, "2001:db8::7", 64, 0);
	has_route(DSL, "fe80::1", RT_TABLE_MAIN, 0);
	view.ways[IP_V4] = (struct net_way){LTE, 51820};
	links_obey_vpn(&config, &view);
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 1);
	look(&links[0]);
	assert_true(links[0].paths[IP_V4].works && links[0].paths[IP_V6].works);
	links[0].automatic = true;
	look(&links[0]);
	assert_false(links[0].paths[IP_V4].routed);
	assert_true(links[0].paths[IP_V6].works);
}

/* Quotas, figures and events go by the name. */
static void no_two_links_have_a_name(void **state)
{
	struct link_config listed[] = {{.name = "lte0", .device = "dsl0"},
				       {.name = "lte0-auto", .device = "absent"}};
	struct links_config config = {.mode = LINKS_AUTO, .link = listed, .count = 2};
	struct link links[LINKS_MAX];
	size_t count = 0;

	(void)state;
	has_route(LTE, "192.0.2.9", RT_TABLE_MAIN, 0);
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 3);
	assert_string_equal(links[2].config.device, "lte0");
	assert_string_equal(links[2].config.name, "lte0-auto2");
	/* A reload brings the name of one that was found. */
	count = config.count = 0;
	links_collect(&config, &view, links, &count);
	assert_string_equal(links[0].config.name, "lte0");
	config.count = 1;
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 2);
	assert_string_equal(links[0].config.name, "lte0-auto");
	assert_string_equal(links[1].config.name, "lte0");
	links_collect(&config, &view, links, &count);
	assert_int_equal(count, 2);
	assert_string_equal(links[0].config.name, "lte0-auto");
	/* As long as a name may be, and all others taken. */
	count = 0;
	for (int i = 0; i < LINKS_MAX; i++) {
		snprintf(devices[2].name, sizeof(devices[2].name), "longestname%04d", i);
		links_collect(&config, &view, links, &count);
		for (size_t j = 0; j + 1 < count; j++)
			assert_string_not_equal(links[j].config.name, links[count - 1].config.name);
	}
}

/* As USB tethering does. */
static void a_new_name_each_time(void **state)
{
	const struct links_config config = {.mode = LINKS_AUTO};
	struct link links[LINKS_MAX];
	size_t count = 0;

	(void)state;
	has_route(LTE, "192.0.2.9", RT_TABLE_MAIN, 0);
	for (int i = 0; i < LINKS_MAX; i++) {
		snprintf(devices[2].name, sizeof(devices[2].name), "usb%d", i);
		assert_null(links_collect(&config, &view, links, &count));
		for (size_t j = 0; j < count; j++)
			look(&links[j]);
	}
	assert_int_equal(count, LINKS_MAX);
	strcpy(devices[2].name, "usb99");
	assert_string_equal(links_collect(&config, &view, links, &count), "usb99");
	for (size_t j = 0; j < count; j++)
		look(&links[j]);
	for (size_t j = 0; j < count; j++) {
		assert_true(link_is_over(&links[j], true, now_s));
		assert_false(link_is_over(&links[j], false, now_s));
		assert_true(link_is_over(&links[j], false, now_s + 60));
		links[j].automatic = false;
		assert_false(link_is_over(&links[j], true, now_s + 60));
	}
}

/* Two modems of one make. */
static void the_same_address_twice(void **state)
{
	struct link links[2] = {dsl(), {.config = {.name = "lte", .device = "lte0"}}};
	bool silent[2][IP_FAMILIES] = {{false}};

	(void)state;
	has_address(DSL, "192.168.8.100", 24, 0);
	has_address(LTE, "192.168.8.100", 24, 0);
	has_route(DSL, "192.168.8.1", RT_TABLE_MAIN, 1);
	has_route(LTE, "192.168.8.1", RT_TABLE_MAIN, 2);
	for (int round = 0; round < 5; round++) {
		const bool first = round == 0 || round == 4;

		/* The carrier of the first goes and comes, then the second falls silent. */
		devices[1].running = round != 1;
		silent[1][IP_V4] = round == 4;
		for (size_t i = 0; i < 2; i++)
			look(&links[i]);
		links_share_addresses(links, 2, silent);
		assert_int_equal(links[0].paths[IP_V4].works, first);
		assert_int_equal(links[1].paths[IP_V4].works, !first);
		assert_int_equal(links[1].paths[IP_V4].routed, !first);
		assert_string_equal(link_state_name(links[first].state),
				    round == 1 ? "no-carrier" : "same-address");
		assert_string_equal(link_state_name(links[!first].state), "up");
	}
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
		cmocka_unit_test_setup(the_best_address, setup),
		cmocka_unit_test_setup(links_that_are_collected, setup),
		cmocka_unit_test_setup(a_vpn_takes_all, setup),
		cmocka_unit_test_setup(nothing_goes_past_a_vpn, setup),
		cmocka_unit_test_setup(a_vpn_leaves_others_alone, setup),
		cmocka_unit_test_setup(no_two_links_have_a_name, setup),
		cmocka_unit_test_setup(a_new_name_each_time, setup),
		cmocka_unit_test_setup(the_same_address_twice, setup),
		cmocka_unit_test_setup(silent_links_go_but_the_last, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
