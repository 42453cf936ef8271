/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/users.h"

static struct user some[] = {
	{.name = "alice", .password = "secret"},
	{.name = "bob", .password = "hunter2"},
	{.name = "carol", .password = ""},
};
static const struct users users = {some, 3};

static bool check(const char *name, const char *password)
{
	return users_check(&users, name, strlen(name), password, strlen(password));
}

static void only_the_right_pair_passes(void **state)
{
	(void)state;
	assert_true(check("alice", "secret"));
	assert_true(check("bob", "hunter2"));
	assert_true(check("carol", ""));
	assert_false(check("alice", "hunter2"));
	assert_false(check("bob", "secret"));
	assert_false(check("alice", ""));
	assert_false(check("", ""));
	assert_false(check("", "secret"));
	assert_false(check("Alice", "secret"));
	assert_false(check("alic", "secret"));
	assert_false(check("alicee", "secret"));
	assert_false(check("alice", "secre"));
	assert_false(check("alice", "secret "));
	assert_false(check("mallory", "secret"));
}

static void lengths_count_not_terminators(void **state)
{
	(void)state;
	assert_true(users_check(&users, "aliceXX", 5, "secretXX", 6));
	assert_false(users_check(&users, "alice\0", 6, "secret", 6));
	assert_false(users_check(&users, "alice", 5, "secret\0\0", 8));
	assert_false(users_check(&users, "\0", 1, "\0", 1));
}

static void the_longest_fit_and_longer_do_not(void **state)
{
	char name[USER_NAME_MAX + 2], password[USER_PASSWORD_MAX + 2];
	struct user longest = {.name = ""};
	const struct users one = {&longest, 1};

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(password, 'p', sizeof(password));
	memcpy(longest.name, name, USER_NAME_MAX);
	memcpy(longest.password, password, USER_PASSWORD_MAX);
	assert_true(users_check(&one, name, USER_NAME_MAX, password, USER_PASSWORD_MAX));
	assert_false(users_check(&one, name, USER_NAME_MAX + 1, password, USER_PASSWORD_MAX));
	assert_false(users_check(&one, name, USER_NAME_MAX, password, USER_PASSWORD_MAX + 1));
	assert_false(users_check(&one, name, USER_NAME_MAX - 1, password, USER_PASSWORD_MAX));
}

static void nobody_passes_when_there_are_no_users(void **state)
{
	const struct users none = {NULL, 0};

	(void)state;
	assert_false(users_check(&none, "alice", 5, "secret", 6));
	assert_false(users_check(&none, "", 0, "", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_right_pair_passes),
		cmocka_unit_test(lengths_count_not_terminators),
		cmocka_unit_test(the_longest_fit_and_longer_do_not),
		cmocka_unit_test(nobody_passes_when_there_are_no_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
