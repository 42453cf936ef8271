/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When metered links join and rest, and what a quota does, also over restarts. */
#include "links/link_quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

enum { DSL, CABLE, LTE, COUNT };

#define MEGABYTE ((uint64_t)1000000)

static char directory[] = "/tmp/hawser-metered-XXXXXX";
static struct ev_loop *loop;
static struct link_quota *metered;
static struct link_config configs[COUNT];
static struct links_config config = {.link = configs, .count = COUNT};
static struct link links[COUNT];
static struct link_rates meters[COUNT];
static struct link_bytes counters[COUNT];
static bool lost[COUNT];
static double now_s;

static void open_metered(void)
{
	metered = link_quota_open(loop);
	assert_non_null(metered);
	link_quota_follow(metered, &config, directory);
}

static void restart(void)
{
	link_quota_close(metered);
	open_metered();
}

static int setup(void **state)
{
	static const struct link_config begin[COUNT] = {
		{.name = "dsl", .role = LINK_ROLE_SHARED, .rate = {10 * MEGABYTE, MEGABYTE}},
		{.name = "cable", .role = LINK_ROLE_SHARED, .rate = {20 * MEGABYTE, MEGABYTE}},
		{.name = "lte", .role = LINK_ROLE_METERED, .quota = 1000 * MEGABYTE},
	};

	(void)state;
	memcpy(configs, begin, sizeof(configs));
	for (size_t i = 0; i < COUNT; i++)
		configs[i].reset_day = 1;
	memset(meters, 0, sizeof(meters));
	memset(counters, 0, sizeof(counters));
	memset(lost, 0, sizeof(lost));
	now_s = 5000;
	strcpy(directory, "/tmp/hawser-metered-XXXXXX");
	assert_non_null(mkdtemp(directory));
	open_metered();
	return 0;
}

static int teardown(void **state)
{
	char path[sizeof(directory) + 16];

	(void)state;
	link_quota_close(metered);
	snprintf(path, sizeof(path), "%s/links.json", directory);
	unlink(path);
	rmdir(directory);
	return 0;
}

/* As at every event: what the kernel says, then what is made of it. */
static void look(void)
{
	do {
		for (size_t i = 0; i < COUNT; i++) {
			links[i].config = configs[i];
			links[i].paths[IP_V4].works = !lost[i];
			links[i].state = lost[i] ? LINK_STATE_NO_CARRIER : LINK_STATE_UP;
		}
		link_quota_mark(metered, links, COUNT);
	} while (link_quota_reconsider(metered, now_s, links, COUNT));
}

static void run(unsigned int seconds, uint64_t dsl_rx, uint64_t cable_rx, uint64_t lte_rx)
{
	const uint64_t rx[COUNT] = {dsl_rx, cable_rx, lte_rx};

	for (unsigned int s = 0; s < seconds; s++) {
		now_s += 1;
		for (size_t i = 0; i < COUNT; i++) {
			counters[i].rx += rx[i];
			link_rates_take(&meters[i], now_s, (int)i + 1, &counters[i]);
			link_quota_take(metered, &configs[i], 1790000000, (int)i + 1, &counters[i]);
		}
		if (link_quota_changed(metered, now_s, links, meters, COUNT))
			look();
	}
}

/* At the start it is used until the others are known to work. */
static void begin(void)
{
	look();
	run(1, 0, 0, 0);
}

static void rests_while_another_works(void **state)
{
	(void)state;
	begin();
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
	assert_true(link_is_backup(&links[LTE]));
	lost[DSL] = true;
	look();
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
}

static void joins_at_once_when_the_others_are_gone(void **state)
{
	(void)state;
	begin();
	lost[DSL] = lost[CABLE] = true;
	look();
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
	assert_false(link_is_backup(&links[LTE]));
}

static void rests_again_when_another_has_worked_for_a_while(void **state)
{
	(void)state;
	lost[DSL] = lost[CABLE] = true;
	begin();
	lost[DSL] = false;
	look();
	run(8, 0, 0, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
	run(3, 0, 0, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
}

static void a_backup_is_another(void **state)
{
	(void)state;
	configs[DSL].role = LINK_ROLE_BACKUP;
	lost[CABLE] = true;
	begin();
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
}

static void joins_when_all_others_are_full(void **state)
{
	(void)state;
	begin();
	run(20, 10 * MEGABYTE, 10 * MEGABYTE, 0); /* only one is */
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
	run(2, 10 * MEGABYTE, 19 * MEGABYTE, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY); /* a burst */
	run(2, 10 * MEGABYTE, 19 * MEGABYTE, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
}

static void a_speed_test_is_no_reason_to_join(void **state)
{
	(void)state;
	begin();
	link_quota_test(metered, true);
	run(20, 10 * MEGABYTE, 19 * MEGABYTE, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
	link_quota_test(metered, false);
	run(4, 10 * MEGABYTE, 19 * MEGABYTE, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
}

/* Nor to rest: what it carries on one link alone tells nothing. */
static void a_speed_test_is_no_reason_to_rest(void **state)
{
	(void)state;
	begin();
	run(5, 10 * MEGABYTE, 19 * MEGABYTE, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
	link_quota_test(metered, true);
	run(30, MEGABYTE, 0, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
	link_quota_test(metered, false);
	run(11, MEGABYTE, 0, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
}

static void stays_while_the_others_could_not_carry_all(void **state)
{
	(void)state;
	begin();
	run(5, 10 * MEGABYTE, 19 * MEGABYTE, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
	run(30, 9 * MEGABYTE, 15 * MEGABYTE, 5 * MEGABYTE);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
	run(11, 9 * MEGABYTE, 12 * MEGABYTE, 5 * MEGABYTE);
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
}

static void one_that_is_lost_carries_nothing(void **state)
{
	(void)state;
	begin();
	lost[CABLE] = true;
	look();
	run(5, 10 * MEGABYTE, 0, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
}

static void what_can_be_carried_must_be_known(void **state)
{
	(void)state;
	configs[DSL].rate.rx = 0;
	begin();
	run(10, 100 * MEGABYTE, 20 * MEGABYTE, 0);
	assert_int_equal(links[LTE].state, LINK_STATE_STANDBY);
}

static void a_used_up_quota_takes_the_link_out(void **state)
{
	(void)state;
	lost[DSL] = lost[CABLE] = true;
	begin();
	run(1, 0, 0, 999 * MEGABYTE);
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
	run(1, 0, 0, MEGABYTE);
	assert_int_equal(links[LTE].state, LINK_STATE_QUOTA);
	assert_false(links[LTE].paths[IP_V4].works);
	look();
	assert_int_equal(links[LTE].state, LINK_STATE_QUOTA);
}

static void more_quota_brings_it_back(void **state)
{
	(void)state;
	lost[DSL] = lost[CABLE] = true;
	begin();
	run(1, 0, 0, 1000 * MEGABYTE);
	assert_int_equal(links[LTE].state, LINK_STATE_QUOTA);
	configs[LTE].quota = 2000 * MEGABYTE;
	link_quota_follow(metered, &config, directory);
	look();
	assert_int_equal(links[LTE].state, LINK_STATE_UP);
}

static void usage_survives_a_restart(void **state)
{
	(void)state;
	begin();
	run(1, 0, 0, 400 * MEGABYTE);
	restart();
	assert_int_equal(link_quota_usage(metered, "lte")->month.bytes, 400 * MEGABYTE);
	/* So does what was carried in between. */
	run(1, 0, 0, 100 * MEGABYTE);
	assert_int_equal(link_quota_usage(metered, "lte")->month.bytes, 500 * MEGABYTE);
	assert_null(link_quota_usage(metered, "dsl"));
}

static void usage_survives_being_killed(void **state)
{
	struct link_quota *killed = metered;

	(void)state;
	begin();
	run(1, 0, 0, 400 * MEGABYTE);
	/* Until it is written. */
	ev_run(loop, 0);
	open_metered();
	assert_int_equal(link_quota_usage(metered, "lte")->month.bytes, 400 * MEGABYTE);
	link_quota_close(killed);
}

static void write_file(const char *text)
{
	char path[sizeof(directory) + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/links.json", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_reload_forgets_nothing_that_cannot_be_written(void **state)
{
	(void)state;
	link_quota_follow(metered, &config, "/dev/null");
	begin();
	run(1, 0, 0, 400 * MEGABYTE);
	link_quota_follow(metered, &config, "/dev/null");
	assert_int_equal(link_quota_usage(metered, "lte")->month.bytes, 400 * MEGABYTE);
}

/* A file of before months were kept, from a clock in 2036. */
static void a_file_from_the_future(void **state)
{
	(void)state;
	write_file("{\"links\":{\"lte\":{\"since\":\"2036-01-01\",\"bytes\":2000000000,"
		   "\"boot\":\"another\",\"device\":3,\"counter\":5}}}");
	restart();
	run(1, 0, 0, 100 * MEGABYTE);
	restart();
	assert_string_equal(link_quota_usage(metered, "lte")->month.since, "2026-09-01");
	assert_int_equal(link_quota_usage(metered, "lte")->month.bytes, 100 * MEGABYTE);
	assert_string_equal(link_quota_usage(metered, "lte")->others[0].since, "2036-01-01");
}

static void after_a_reboot_all_counts(void **state)
{
	(void)state;
	write_file("{\"links\":{\"lte\":{\"since\":\"2026-09-01\",\"bytes\":7000000,"
		   "\"boot\":\"another\",\"device\":3,\"counter\":5}}}");
	restart();
	run(1, 0, 0, 100 * MEGABYTE);
	assert_int_equal(link_quota_usage(metered, "lte")->month.bytes, 107 * MEGABYTE);
}

static void a_file_of_nonsense_begins_anew(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"links\":3}",
		"{\"links\":{\"lte\":3}}",
		"{\"links\":{\"lte\":{\"since\":\"long ago\",\"bytes\":7}}}",
	};

	(void)state;
	link_quota_close(metered);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		write_file(texts[i]);
		open_metered();
		assert_int_equal(link_quota_usage(metered, "lte")->month.bytes, 0);
		link_quota_close(metered);
	}
	metered = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rests_while_another_works, setup, teardown),
		cmocka_unit_test_setup_teardown(joins_at_once_when_the_others_are_gone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rests_again_when_another_has_worked_for_a_while,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_backup_is_another, setup, teardown),
		cmocka_unit_test_setup_teardown(joins_when_all_others_are_full, setup, teardown),
		cmocka_unit_test_setup_teardown(a_speed_test_is_no_reason_to_join, setup, teardown),
		cmocka_unit_test_setup_teardown(a_speed_test_is_no_reason_to_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(stays_while_the_others_could_not_carry_all, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_is_lost_carries_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(what_can_be_carried_must_be_known, setup, teardown),
		cmocka_unit_test_setup_teardown(a_used_up_quota_takes_the_link_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(more_quota_brings_it_back, setup, teardown),
		cmocka_unit_test_setup_teardown(usage_survives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(usage_survives_being_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_forgets_nothing_that_cannot_be_written,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_from_the_future, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_reboot_all_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_of_nonsense_begins_anew, setup, teardown),
	};

	loop = ev_default_loop(EVFLAG_NOENV);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
