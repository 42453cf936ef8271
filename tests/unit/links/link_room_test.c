/* SPDX-License-Identifier: GPL-2.0-or-later */
/* More addresses than the kernel keeps endpoints for: which ones have one, and when. */
#include "link_kernel_fixture.h"

/* Each has one before any has a second, and nobody tries in vain. */
static void each_link_has_an_endpoint(bool tells_little)
{
	unsigned int asked;

	pm.tells_little = tells_little;
	has_links(5);
	links[0].config.role = LINK_ROLE_BACKUP;
	settle();
	asked = pm.asked;
	for (size_t i = 0; i < 5; i++) {
		assert_true(has(i, IP_V4));
		assert_int_equal(has(i, IP_V6), i > 0 && i < 4);
	}
	assert_string_equal(link_setup_crowded(link_setup), "fd00:5::1, fd00:1::1");
	assert_string_equal(link_setup_restored(link_setup), "");
	settle();
	assert_int_equal(pm.asked, asked);
	/* A link goes and comes. */
	works(1, false);
	settle();
	assert_true(has(0, IP_V6) && has(4, IP_V6) && !has(1, IP_V4));
	assert_string_equal(link_setup_crowded(link_setup), "");
	works(1, true);
	settle();
	assert_true(has(1, IP_V4) && has(1, IP_V6) && !has(0, IP_V6) && !has(4, IP_V6));
	/* Others take places, and give them back. */
	works(3, false);
	settle();
	works(3, true);
	pm.count--;
	others_have("198.51.100.1", 0, 0, MPTCP_PM_ADDR_FLAG_SIGNAL);
	settle();
	for (size_t i = 0; i < 5; i++)
		assert_true(has(i, IP_V4));
	assert_non_null(there("198.51.100.1"));
	assert_string_equal(link_setup_crowded(link_setup), "fd00:4::1, fd00:5::1, fd00:1::1");
	for (size_t i = 0; i < pm.count; i++)
		if (pm.endpoints[i].flags & MPTCP_PM_ADDR_FLAG_SIGNAL)
			pm.endpoints[i] = pm.endpoints[--pm.count];
	assert_true(link_setup_is_disturbed(link_setup));
	settle();
	assert_true(has(3, IP_V6));
}

static void more_addresses_than_endpoints(void **state)
{
	(void)state;
	each_link_has_an_endpoint(false);
}

static void more_addresses_than_endpoints_in_linux_6_1(void **state)
{
	(void)state;
	each_link_has_an_endpoint(true);
}

/* Its link works: who has nothing else keeps it as long as that takes, as a backup, and nobody
 * tries meanwhile. */
static void room_is_made_by_nobody_s_end(void **state)
{
	unsigned int asked;
	unsigned int cut;

	(void)state;
	has_links(5);
	works(0, false);
	settle();
	assert_true(has(4, IP_V6));
	subflow = (struct mptcp_diag_subflow){.local = ip(address_of(4, IP_V6)),
					      .far = ip("fd00:99::1"),
					      .token = 7,
					      .dialled = true,
					      .established = true,
					      .by_peer = true};
	works(0, true);
	assert_int_equal(apply(), -EAGAIN); /* now it is known how many there may be */
	assert_int_equal(apply(), 0);
	asked = pm.asked;
	cut = pm.cut;
	assert_int_equal(apply(), 0);
	assert_int_equal(pm.asked, asked);
	/* The others are offered again. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(apply(), 0);
		assert_true(has(4, IP_V6) && there(address_of(4, IP_V6))->backup);
		assert_true(has(0, IP_V4) && !has(0, IP_V6));
		assert_string_equal(link_setup_crowded(link_setup),
				    "fd00:4::1, fd00:5::1, fd00:1::1");
		uptime_s += 3600;
	}
	assert_int_equal(pm.cut, cut);
	subflow.token = 0;
	settle();
	assert_true(has(0, IP_V4) && has(0, IP_V6) && !has(4, IP_V6));
}

/* Others have all places, or so many that only some of ours have one, and give them back. */
static void room_of_others_is_seen(void **state)
{
	const size_t most = sizeof(pm.endpoints) / sizeof(pm.endpoints[0]);
	char address[ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t theirs = most; theirs > most - 3; theirs--) {
		stop(state);
		start(state);
		for (size_t i = 0; i < theirs; i++) {
			snprintf(address, sizeof(address), "198.51.100.%zu", i + 1);
			others_have(address, 0, 0, MPTCP_PM_ADDR_FLAG_SIGNAL);
		}
		has_links(2);
		settle();
		assert_int_equal(pm.count, most);
		assert_int_equal(has(0, IP_V4), theirs < most);
		pm.endpoints[0] = pm.endpoints[--pm.count];
		assert_true(link_setup_is_disturbed(link_setup));
		settle();
		assert_true(has(0, IP_V4));
		assert_int_equal(pm.count, most);
	}
}

/* No text is cut in an address, whose rest would be another one. */
static void only_whole_addresses_are_told(void **state)
{
	char told[LINK_SETUP_CROWDED_MAX];
	size_t shortest = sizeof(told);
	char *rest = told;
	char *one;

	(void)state;
	for (unsigned int pad = 0; pad < 16; pad++) {
		stop(state);
		start(state);
		for (int i = 0; i < 8; i++)
			others_have("198.51.100.1", (uint16_t)(1081 + i), 0,
				    MPTCP_PM_ADDR_FLAG_SIGNAL);
		has_links(LINKS_MAX);
		for (size_t i = 0; i < link_count; i++)
			links[i].paths[IP_V6].address.in6.sin6_addr.s6_addr[8 + i % 7] =
				i < pad ? 0x11 : 0;
		settle();
		snprintf(told, sizeof(told), "%s", link_setup_crowded(link_setup));
		shortest = strlen(told) < shortest ? strlen(told) : shortest;
		rest = told;
		while ((one = strsep(&rest, ","))) {
			const union address address = ip(one + (*one == ' '));
			bool is_one = false;

			for (size_t i = 0; i < link_count; i++)
				for (enum ip_family family = 0; family < IP_FAMILIES; family++)
					is_one |= address_same_ip(&address,
								  &links[i].paths[family].address);
			assert_true(is_one);
		}
	}
	assert_in_range(shortest, LINK_SETUP_CROWDED_MAX - ADDRESS_TEXT_MAX,
			LINK_SETUP_CROWDED_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(more_addresses_than_endpoints, start, stop),
		cmocka_unit_test_setup_teardown(more_addresses_than_endpoints_in_linux_6_1, start,
						stop),
		cmocka_unit_test_setup_teardown(room_is_made_by_nobody_s_end, start, stop),
		cmocka_unit_test_setup_teardown(room_of_others_is_seen, start, stop),
		cmocka_unit_test_setup_teardown(only_whole_addresses_are_told, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
