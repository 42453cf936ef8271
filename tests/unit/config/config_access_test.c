/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may: passwords, and clients by their address. */
#include "config_fixture.h"

static void test_password_file(void **state)
{
	static const char *const contents[] = {"p w\n", "p w", "p w\r\n", "p w\nsecond\n"};
	char user[128];

	(void)state;
	snprintf(user, sizeof(user), "a:%s", fixture_password);
	for (int i = 0; i < 4; i++) {
		struct config *config;

		write_bytes(fixture_password, contents[i], strlen(contents[i]));
		config = load("--user", user);
		assert_non_null(config);
		assert_string_equal(fixture_log, "");
		assert_true(users_check(&config->users, "a", 1, "p w", 3));
		config_put(config);
	}
	for (int i = 0; i < 2; i++) {
		struct config *config;

		assert_int_equal(chmod(fixture_password, i ? 0640 : 0604), 0);
		config = load("--user", user);
		assert_non_null(config);
		assert_contains(fixture_log, "warning: --user a:/tmp/");
		assert_contains(fixture_log, "chmod 600");
		assert_one_line(fixture_log);
		assert_null(strstr(fixture_log, "p w"));
		config_put(config);
	}
}

/* Listeners off loopback that have what they need. */
static void test_exposed_legal(void **state)
{
	struct config *config;
	char user[128];

	(void)state;
	snprintf(user, sizeof(user), "a:%s", fixture_password);
	config = load("--socks", "0.0.0.0:1080", "--user", user);
	assert_non_null(config);
	config_put(config);
	config = load("--socks", "[::]:1080", "--forward", "[::]:25=h:25", "--allow", "fd00::/8");
	assert_non_null(config);
	config_put(config);
	config = load("--socks", "127.9.9.9:1080", "--forward", "[::1]:25=h:25");
	assert_non_null(config);
	config_put(config);
	/* All addresses of both families are two listeners, and so is another port. */
	config = load("--socks", "[::]:1080", "--socks", "0.0.0.0:1080", "--socks",
		      "127.0.0.1:1081", "--allow", "fd00::/8");
	assert_non_null(config);
	config_put(config);
	/* The same port on two addresses is two listeners. */
	config = load("--socks", "127.0.0.1:1080", "--socks", "127.0.0.2:1080");
	assert_non_null(config);
	assert_int_equal(config->listen_count, 2);
	config_put(config);
}

static void test_access(void **state)
{
	static const char *const clients[] = {"127.0.0.1:5", "[::1]:5", "10.1.1.1:5", "192.0.2.1:5",
					      "[2001:db8::1]:5"};
	enum { LOOPBACK_COUNT = 2, IN_ALLOW = 2 };
	char user[128];

	(void)state;
	snprintf(user, sizeof(user), "--user=a:%s", fixture_password);
	for (int with_users = 0; with_users < 2; with_users++) {
		for (int with_allow = 0; with_allow < 2; with_allow++) {
			struct config *config =
				load(with_users ? user : "--tier=auto",
				     with_allow ? "--allow=10.0.0.0/8" : "--tier=auto");

			assert_non_null(config);
			for (int i = 0; i < 5; i++) {
				union address client = address_of(clients[i]);
				bool loopback = i < LOOPBACK_COUNT;
				bool allowed = with_allow && i == IN_ALLOW;
				enum access expected = ACCESS_DENIED;

				if (allowed || (loopback && !with_users))
					expected = ACCESS_OPEN;
				else if (with_users)
					expected = ACCESS_PASSWORD;
				assert_int_equal(config_access(config, &client), expected);
				assert_int_equal(config_forward_allowed(config, &client),
						 loopback || allowed);
			}
			config_put(config);
		}
	}
	/* Loopback in an allowed range needs no password. */
	struct config *config = load(user, "--allow", "127.0.0.0/8");

	assert_non_null(config);
	assert_allows(config, clients[0], true);
	assert_allows(config, clients[1], false);
	config_put(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_password_file),
		TEST(test_exposed_legal),
		TEST(test_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
