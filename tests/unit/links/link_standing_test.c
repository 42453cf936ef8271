/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who stands on an address. */
#include "links/link_standing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DSL, LTE, SAT, COUNT };

#define SUBFLOWS_MAX 16

static union address at[COUNT];
static union address lan;
static union address far;
static const uint16_t exit_port = 1082;
static struct mptcp_diag_subflow subflows[SUBFLOWS_MAX];
static size_t subflow_count;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(address_parse("192.0.2.1:1", &at[DSL]), 0);
	assert_int_equal(address_parse("198.51.100.1:1", &at[LTE]), 0);
	assert_int_equal(address_parse("203.0.113.1:1", &at[SAT]), 0);
	assert_int_equal(address_parse("10.0.0.1:1", &lan), 0);
	assert_int_equal(address_parse("192.0.2.50:1080", &far), 0);
	subflow_count = 0;
	return 0;
}

static struct mptcp_diag_subflow *add(uint32_t token, const union address *local)
{
	struct mptcp_diag_subflow *subflow = &subflows[subflow_count++];

	*subflow = (struct mptcp_diag_subflow){.local = *local,
					       .far = far,
					       .token = token,
					       .dialled = true,
					       .established = true,
					       .by_peer = true};
	return subflow;
}

/* LTE is to go. */
static struct link_standing find(int link)
{
	const struct link_ground ground = {.ours = at,
					   .ours_count = COUNT,
					   .leaving = &at[LTE],
					   .leaving_count = 1,
					   .exit_ports = &exit_port,
					   .exit_port_count = 1};

	return link_standing_find(subflows, subflow_count, &ground, &at[link]);
}

static void assert_standing(int link, size_t users, size_t alone, size_t missing, size_t waiting)
{
	const struct link_standing is = find(link);

	assert_int_equal(is.users, users);
	assert_int_equal(is.alone, alone);
	assert_int_equal(is.missing, missing);
	assert_int_equal(is.waiting, waiting);
}

static void test_nobody(void **state)
{
	(void)state;
	assert_standing(DSL, 0, 0, 0, 0);
}

static void test_two_links_each(void **state)
{
	(void)state;
	add(1, &at[DSL]);
	add(1, &at[LTE]);
	assert_standing(LTE, 1, 0, 0, 0);
	/* As the other goes. */
	assert_standing(DSL, 1, 1, 0, 0);
	assert_standing(SAT, 0, 0, 1, 0);
}

static void test_alone(void **state)
{
	(void)state;
	add(1, &at[LTE]);
	add(2, &at[LTE]);
	add(2, &at[SAT]);
	assert_standing(LTE, 2, 1, 0, 0);
	assert_standing(DSL, 0, 0, 2, 1);
}

/* Those that could have another subflow, and those that have one. */
static void test_stranded(void **state)
{
	(void)state;
	add(1, &at[LTE]);
	assert_int_equal(find(LTE).stranded, 1);
	assert_int_equal(find(LTE).served, 0);
	add(2, &at[LTE]);
	add(2, &at[SAT]);
	add(3, &at[LTE])->by_peer = false;
	assert_int_equal(find(LTE).stranded, 1);
	assert_int_equal(find(LTE).served, 1);
}

/* Of those that have another: nothing came there for a while. */
static void test_unheard(void **state)
{
	(void)state;
	add(1, &at[DSL])->quiet_ms = 2000;
	assert_int_equal(find(DSL).unheard, 0);
	add(1, &at[SAT])->quiet_ms = 10;
	assert_int_equal(find(DSL).unheard, 1);
	assert_int_equal(find(SAT).unheard, 0);
	/* A second subflow there. */
	add(1, &at[DSL])->quiet_ms = 10;
	assert_int_equal(find(DSL).unheard, 0);
	/* Beside one that is to go. */
	add(3, &at[DSL])->quiet_ms = 2000;
	add(3, &at[LTE])->quiet_ms = 2000;
	assert_int_equal(find(DSL).unheard, 1);
	assert_int_equal(find(DSL).sheltered, 1);
	assert_int_equal(find(DSL).alone, 1);
	assert_int_equal(find(LTE).sheltered, 0);
	subflow_count -= 2;
	/* That could not join again. */
	add(2, &at[DSL])->quiet_ms = 2000;
	subflows[subflow_count - 1].by_peer = false;
	add(2, &at[SAT])->by_peer = false;
	assert_int_equal(find(DSL).unheard, 0);
}

static void test_a_join_under_way_is_no_subflow_yet(void **state)
{
	(void)state;
	add(1, &at[LTE]);
	add(1, &at[DSL])->established = false;
	assert_standing(LTE, 1, 1, 0, 0);
	assert_standing(DSL, 1, 0, 0, 0);
	assert_int_equal(find(DSL).joining, 1);
	assert_int_equal(find(LTE).joining, 0);
}

static void test_fallen_back(void **state)
{
	(void)state;
	add(1, &at[LTE])->by_peer = false;
	assert_standing(LTE, 1, 1, 0, 0);
	assert_standing(DSL, 0, 0, 0, 0);
}

static struct mptcp_diag_subflow *to(struct mptcp_diag_subflow *subflow, const char *peer,
				     bool dialled)
{
	assert_int_equal(address_parse(peer, &subflow->far), 0);
	subflow->dialled = dialled;
	subflow->far_id = dialled ? 0 : 1;
	return subflow;
}

/* To the address where it began, announced with another port, no endpoint joins later, offered or
 * not; to another address it does, also after the first subflow has ended. */
static void test_settled(void **state)
{
	(void)state;
	to(add(1, &at[LTE]), "192.0.2.50:1080", true);
	to(add(1, &at[SAT]), "192.0.2.50:1081", false)->far_id = 0;
	assert_standing(DSL, 0, 0, 0, 0);
	to(add(2, &at[LTE]), "192.0.2.50:1080", true);
	to(add(2, &at[SAT]), "192.0.2.60:1080", false);
	assert_standing(DSL, 0, 0, 1, 0);
	to(add(3, &at[LTE]), "192.0.2.50:1080", true);
	to(add(3, &at[SAT]), "192.0.2.60:1081", false);
	assert_standing(DSL, 0, 0, 2, 0);
	to(add(4, &at[SAT]), "192.0.2.60:1080", false);
	to(add(9, &at[SAT]), "192.0.2.50:1081", false)->far_id = 0;
	assert_standing(DSL, 0, 0, 3, 0);
	/* One that is on its way has not come there. */
	to(add(5, &at[LTE]), "192.0.2.50:1080", true);
	to(add(5, &at[SAT]), "192.0.2.50:1081", false)->established = false;
	assert_standing(DSL, 0, 0, 4, 1);
}

/* They lost what they began with, and joined there again or not at all elsewhere. */
static void test_bereft(void **state)
{
	(void)state;
	add(1, &at[LTE]);
	add(1, &at[SAT])->dialled = false;
	assert_int_equal(find(DSL).bereft, 0);
	assert_int_equal(find(LTE).begun, 1);
	assert_int_equal(find(SAT).begun, 0);
	to(add(7, &at[LTE]), "192.0.2.50:1080", true);
	to(add(7, &at[SAT]), "192.0.2.60:1080", false);
	assert_int_equal(find(LTE).begun, 1);
	add(2, &at[SAT])->dialled = false;
	assert_int_equal(find(DSL).bereft, 1);
	assert_int_equal(find(SAT).bereft, 1);
	/* To an address that the peer announced: it lets nobody join at the other. */
	to(add(3, &at[SAT]), "192.0.2.60:1080", false);
	add(4, &lan)->dialled = false;
	assert_int_equal(find(DSL).bereft, 1);
	/* An address that it began at, and was announced with another port. */
	to(add(5, &at[SAT]), "192.0.2.50:1081", false)->far_id = 0;
	assert_int_equal(find(DSL).bereft, 1);
	/* Nobody else is connected to that exit at this moment. */
	to(add(6, &at[SAT]), "192.0.2.70:1082", false)->far_id = 0;
	assert_int_equal(find(DSL).bereft, 2);
	assert_standing(DSL, 0, 0, 5, 0);
}

/* Clients of ours in the LAN, and those of the other family, join nothing. */
static void test_not_ours(void **state)
{
	union address at6;

	(void)state;
	assert_int_equal(address_parse("[2001:db8::1]:1", &at6), 0);
	add(1, &lan);
	add(2, &at6);
	assert_standing(DSL, 0, 0, 0, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nobody, setup),
		cmocka_unit_test_setup(test_two_links_each, setup),
		cmocka_unit_test_setup(test_alone, setup),
		cmocka_unit_test_setup(test_stranded, setup),
		cmocka_unit_test_setup(test_unheard, setup),
		cmocka_unit_test_setup(test_a_join_under_way_is_no_subflow_yet, setup),
		cmocka_unit_test_setup(test_fallen_back, setup),
		cmocka_unit_test_setup(test_settled, setup),
		cmocka_unit_test_setup(test_bereft, setup),
		cmocka_unit_test_setup(test_not_ours, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
