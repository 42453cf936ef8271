/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose turn it is. The linker puts __wrap_NAME in place of what asks the kernel for routes. */
#include "links/link_choice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/way.h"
#include "shared/affinity.h"

static int default_route; /* what the kernel says */

int __wrap_route_find_default(struct netlink *netlink, const union address *to);

int __wrap_route_find_default(struct netlink *netlink, const union address *to)
{
	(void)netlink;
	(void)to;
	return default_route;
}

static struct link_choices choices;
static struct link_picker picker;

static void add(const char *name, unsigned int weight, bool backup, bool v6)
{
	struct link_choice *link = &choices.links[choices.count++];

	*link = (struct link_choice){
		.device = (int)choices.count, .weight = weight, .backup = backup};
	snprintf(link->name, sizeof(link->name), "%s", name);
	link->sources[IP_V4].sa.sa_family = AF_INET;
	if (v6)
		link->sources[IP_V6].sa.sa_family = AF_INET6;
}

static int setup(void **state)
{
	(void)state;
	choices = (struct link_choices){0};
	default_route = 0;
	return link_picker_init(&picker, 0);
}

static int teardown(void **state)
{
	(void)state;
	link_picker_fini(&picker);
	return 0;
}

/* The next turns, a letter each. */
static void assert_turns(enum ip_family family, const char *expected)
{
	for (const char *c = expected; *c; c++) {
		const struct link_choice *link = link_picker_take_turn(&picker, family);

		assert_non_null(link);
		assert_int_equal(link->name[0], *c);
	}
}

static void equal_links_take_turns(void **state)
{
	(void)state;
	add("a", 1, false, true);
	add("b", 1, false, true);
	add("c", 1, false, true);
	link_picker_update(&picker, &choices);
	assert_turns(IP_V4, "abcabcabc");
	/* Each family by itself. */
	assert_turns(IP_V6, "abc");
}

static void workers_begin_on_different_links(void **state)
{
	(void)state;
	add("a", 1, false, false);
	add("b", 1, false, false);
	picker.offset = 1;
	link_picker_update(&picker, &choices);
	assert_turns(IP_V4, "baba");
}

static void weights_count(void **state)
{
	(void)state;
	add("a", 1, false, false);
	add("b", 4, false, false);
	link_picker_update(&picker, &choices);
	assert_turns(IP_V4, "bbabbbbabb");
}

static void a_backup_waits_for_the_others_to_fail(void **state)
{
	(void)state;
	add("a", 1, false, false);
	add("b", 100, true, false);
	link_picker_update(&picker, &choices);
	assert_turns(IP_V4, "aaa");
	choices.links[0].sources[IP_V4].sa.sa_family = AF_UNSPEC;
	link_picker_update(&picker, &choices);
	assert_turns(IP_V4, "bbb");
}

static void only_links_of_the_family(void **state)
{
	(void)state;
	add("a", 1, false, false);
	add("b", 1, false, true);
	link_picker_update(&picker, &choices);
	assert_turns(IP_V6, "bb");
	choices.links[1].sources[IP_V6].sa.sa_family = AF_UNSPEC;
	link_picker_update(&picker, &choices);
	assert_null(link_picker_take_turn(&picker, IP_V6));
}

static const struct link_choice *choose(const union address *to)
{
	const struct link_choice *link;

	assert_int_equal(link_picker_choose(&picker, to, NULL, &link), 0);
	return link;
}

static void routes_decide_whether_there_is_a_choice(void **state)
{
	const union address loopback = {
		.in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	const union address to = {
		.in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)}};

	(void)state;
	assert_null(choose(&to));
	add("a", 1, false, false);
	add("b", 1, false, false);
	link_picker_update(&picker, &choices);
	/* No route, or a default route by a link: any link will do. */
	assert_string_equal(choose(&to)->name, "a");
	default_route = 1;
	assert_string_equal(choose(&to)->name, "b");
	assert_null(choose(&loopback));
	/* By what is no link, or a better route, or a prohibition. */
	default_route = 3;
	assert_null(choose(&to));
	default_route = -EEXIST;
	assert_null(choose(&to));
	default_route = -EACCES;
	assert_null(choose(&to));
}

static void a_used_up_quota_is_kept(void **state)
{
	const union address to = {
		.in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)}};
	const struct link_choice *link;

	(void)state;
	add("a", 1, false, false);
	choices.links[0].spent = true;
	choices.links[0].sources[IP_V4].sa.sa_family = AF_UNSPEC;
	link_picker_update(&picker, &choices);
	default_route = choices.links[0].device;
	assert_int_equal(link_picker_choose(&picker, &to, NULL, &link), -ENETUNREACH);
	/* What has no route at all, or another link, is no matter of it. */
	default_route = 0;
	assert_null(choose(&to));
	add("b", 1, false, false);
	link_picker_update(&picker, &choices);
	default_route = choices.links[0].device;
	assert_string_equal(choose(&to)->name, "b");
}

/* The links of a client's connections to 200 destinations, a letter each. */
static void stick(struct affinity *affinity, double now_s, char out[201])
{
	for (unsigned int i = 0; i < 200; i++) {
		const union address client = {
			.in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)}};
		const union address to = {
			.in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000200 + i)}};
		const struct affinity_asker asker = {
			.affinity = affinity,
			.pair = affinity_pair(affinity, &client, "", &to),
			.keep_s = 600,
			.now_s = now_s,
		};

		out[i] = link_picker_stick(&picker, IP_V4, &asker)->name[0];
	}
	out[200] = '\0';
}

static size_t count(const char *links, char link)
{
	size_t n = 0;

	for (; *links; links++)
		n += *links == link;
	return n;
}

static void pairs_stay_while_their_link_works(void **state)
{
	struct affinity *affinity = affinity_open();
	char first[201];
	char without[201];
	char again[201];

	(void)state;
	assert_non_null(affinity);
	add("a", 1, false, false);
	add("b", 3, false, false);
	add("c", 1, true, false);
	link_picker_update(&picker, &choices);
	stick(affinity, 1, first);
	/* 50 are expected, with a deviation of 6. */
	assert_in_range(count(first, 'a'), 15, 85);
	assert_int_equal(count(first, 'c'), 0);
	/* Another worker, another offset, much later. */
	picker.offset = 1;
	stick(affinity, 1e6, again);
	assert_string_equal(again, first);
	/* Those of a go to b, and stay for a while when it is back. */
	choices.links[0].sources[IP_V4].sa.sa_family = AF_UNSPEC;
	link_picker_update(&picker, &choices);
	stick(affinity, 1e6 + 1, without);
	assert_int_equal(count(without, 'b'), 200);
	choices.links[0].sources[IP_V4].sa.sa_family = AF_INET;
	link_picker_update(&picker, &choices);
	stick(affinity, 1e6 + 500, again);
	assert_int_equal(count(again, 'b'), 200);
	stick(affinity, 1e6 + 1200, again);
	assert_string_equal(again, first);
	/* A third link takes from both, and they take nothing from each other. */
	choices.links[2].backup = false;
	link_picker_update(&picker, &choices);
	stick(affinity, 1e6 + 2000, again);
	assert_in_range(count(again, 'c'), 10, 75);
	for (size_t i = 0; i < 200; i++)
		assert_true(again[i] == first[i] || again[i] == 'c');
	affinity_close(affinity);
}

static void a_backup_is_for_when_no_other_works(void **state)
{
	struct affinity *affinity = affinity_open();
	char links[201];

	(void)state;
	assert_non_null(affinity);
	add("a", 1, false, false);
	add("b", 100, true, false);
	link_picker_update(&picker, &choices);
	stick(affinity, 1, links);
	assert_int_equal(count(links, 'a'), 200);
	choices.links[0].sources[IP_V4].sa.sa_family = AF_UNSPEC;
	link_picker_update(&picker, &choices);
	stick(affinity, 2, links);
	assert_int_equal(count(links, 'b'), 200);
	/* Not even those that have just been there. */
	choices.links[0].sources[IP_V4].sa.sa_family = AF_INET;
	link_picker_update(&picker, &choices);
	stick(affinity, 3, links);
	assert_int_equal(count(links, 'a'), 200);
	affinity_close(affinity);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void another_than_those_that_were_tried(void **state)
{
	(void)state;
	add("dsl", 1, false, false);
	choices.links[0].slot = 4;
	link_picker_update(&picker, &choices);
	assert_false(link_picker_has_others(&picker));
	add("lte", 1, true, true);
	choices.links[1].slot = 7;
	link_picker_update(&picker, &choices);
	assert_true(link_picker_has_others(&picker));
	assert_string_equal(link_picker_other(&picker, IP_V4, 0, false)->name, "dsl");
	assert_null(link_picker_other(&picker, IP_V4, 1U << 4, false));
	assert_string_equal(link_picker_other(&picker, IP_V4, 1U << 4, true)->name, "lte");
	assert_null(link_picker_other(&picker, IP_V4, 1U << 4 | 1U << 7, true));
	assert_null(link_picker_other(&picker, IP_V6, 0, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(equal_links_take_turns),
		TEST(workers_begin_on_different_links),
		TEST(weights_count),
		TEST(a_backup_waits_for_the_others_to_fail),
		TEST(only_links_of_the_family),
		TEST(routes_decide_whether_there_is_a_choice),
		TEST(a_used_up_quota_is_kept),
		TEST(another_than_those_that_were_tried),
		TEST(pairs_stay_while_their_link_works),
		TEST(a_backup_is_for_when_no_other_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
