/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has answered counts until something changes, or for a second. In a network
 * namespace of its own, where that can be had. */
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/way_memory.h"

double __wrap_clock_monotonic_s(void);

static double now_s;
static struct way_memory *memory;

double __wrap_clock_monotonic_s(void)
{
	return now_s;
}

static int set_up(void **state)
{
	(void)state;
	now_s = 60;
	memory = way_memory_open();
	return memory ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	way_memory_close(memory);
	return 0;
}

static union address at(const char *ip, uint16_t port)
{
	struct prefix prefix;
	union address address;

	assert_int_equal(prefix_parse(ip, &prefix), 0);
	address = prefix.base;
	address_set_port(&address, port);
	return address;
}

static void keep(const char *ip, uint16_t port, enum way_question question, int answer)
{
	const union address to = at(ip, port);

	way_memory_keep(memory, question, &to, answer);
}

/* -99: not known. */
static int find(const char *ip, uint16_t port, enum way_question question)
{
	const union address to = at(ip, port);
	int answer;

	return way_memory_find(memory, question, &to, &answer) ? answer : -99;
}

static void address_port_and_question_count(void **state)
{
	(void)state;
	keep("192.0.2.1", 80, WAY_IS_OWN, 1);
	keep("192.0.2.1", 80, WAY_DEFAULT, 7);
	keep("2001:db8::1", 80, WAY_IS_OWN, 0);
	assert_int_equal(find("192.0.2.1", 80, WAY_IS_OWN), 1);
	assert_int_equal(find("192.0.2.1", 80, WAY_DEFAULT), 7);
	assert_int_equal(find("2001:db8::1", 80, WAY_IS_OWN), 0);
	assert_int_equal(find("192.0.2.1", 81, WAY_IS_OWN), -99);
	assert_int_equal(find("192.0.2.2", 80, WAY_IS_OWN), -99);
	assert_int_equal(find("2001:db8::1", 80, WAY_DEFAULT), -99);
}

static void zones_count(void **state)
{
	union address to = at("fe80::1", 80);
	int answer;

	(void)state;
	to.in6.sin6_scope_id = 2;
	way_memory_keep(memory, WAY_IS_OWN, &to, 1);
	assert_true(way_memory_find(memory, WAY_IS_OWN, &to, &answer));
	to.in6.sin6_scope_id = 3;
	assert_false(way_memory_find(memory, WAY_IS_OWN, &to, &answer));
}

static void a_second_is_all(void **state)
{
	(void)state;
	keep("192.0.2.1", 80, WAY_IS_OWN, 1);
	now_s += 0.9;
	assert_int_equal(find("192.0.2.1", 80, WAY_IS_OWN), 1);
	now_s += 0.2;
	assert_int_equal(find("192.0.2.1", 80, WAY_IS_OWN), -99);
}

static void thousands_do_not_get_mixed_up(void **state)
{
	unsigned int known = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.0.%d.%d", i / 250, i % 250);
		keep(ip, 443, WAY_IS_OWN, i);
	}
	for (int i = 0; i < 5000; i++) {
		char ip[32];
		int answer;

		snprintf(ip, sizeof(ip), "10.0.%d.%d", i / 250, i % 250);
		answer = find(ip, 443, WAY_IS_OWN);
		if (answer == -99)
			continue;
		assert_int_equal(answer, i);
		known++;
	}
	assert_in_range(known, 1, 256);
}

static void without_a_memory_nothing_is_known(void **state)
{
	const union address to = at("192.0.2.1", 80);
	int answer;

	(void)state;
	way_memory_keep(NULL, WAY_IS_OWN, &to, 1);
	assert_false(way_memory_find(NULL, WAY_IS_OWN, &to, &answer));
}

/* Runs ip(8) with these words, and waits for it. */
static void ip(const char *words)
{
	char line[128];
	char *argv[16] = {"ip"};
	size_t argc = 1;
	char *next = line;
	int status;
	pid_t pid;

	snprintf(line, sizeof(line), "%s", words);
	while ((argv[argc] = strsep(&next, " ")))
		argc++;
	assert_int_equal(posix_spawnp(&pid, "ip", NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void whatever_changes_is_noticed(void **state)
{
	static const char *const changes[] = {
		"link set lo up",
		"addr add 192.0.2.1/32 dev lo",
		"-6 addr add 2001:db8::1/128 dev lo nodad",
		"route add local 198.51.100.0/24 dev lo",
		"-6 route add local 2001:db8:1::/48 dev lo",
		"rule add to 203.0.113.1 lookup 7",
		"-6 rule add to 2001:db8:2::1 lookup 7",
		"rule del to 203.0.113.1 lookup 7",
		"link set lo down",
	};

	if (unshare(CLONE_NEWNET))
		skip();
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		keep("192.0.2.1", 80, WAY_IS_OWN, 0);
		assert_int_equal(find("192.0.2.1", 80, WAY_IS_OWN), 0);
		ip(changes[i]);
		assert_int_equal(find("192.0.2.1", 80, WAY_IS_OWN), -99);
	}
}

#define MEMORY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY_TEST(address_port_and_question_count),
		MEMORY_TEST(zones_count),
		MEMORY_TEST(a_second_is_all),
		MEMORY_TEST(thousands_do_not_get_mixed_up),
		MEMORY_TEST(without_a_memory_nothing_is_known),
		MEMORY_TEST(whatever_changes_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
