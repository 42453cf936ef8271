/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hawserd says of wrong options, and of what the files that they name hold. */
#include "config_fixture.h"

#include <grp.h>
#include <sys/wait.h>

#include "net/kernel.h"

static void assert_option_error(const char *option, const char *text, const char *wrong,
				const char *expected)
{
	char start[512];

	assert_null(load(option, text));
	snprintf(start, sizeof(start), "error: %s %s: ", option, text);
	if (strncmp(fixture_log, start, strlen(start)) != 0)
		fail_msg("not \"%s\" but \"%s\"", start, fixture_log);
	assert_contains(fixture_log, wrong);
	assert_contains(fixture_log, expected);
	assert_one_line(fixture_log);
}

static void test_option_values(void **state)
{
	static const char *const errors[][4] = {
		{"--socks", "1080", "expected an IP address", "ADDR:PORT or [ADDR6]:PORT"},
		{"--socks", "", "expected an IP address", "ADDR:PORT"},
		{"--socks", "0.0.0.0:1080", "not loopback", "--allow 192.168.1.0/24"},
		{"--socks", "[fe80::1]:1080", "link-local IPv6", "expected"},
		{"--transparent", "224.0.0.1:1", "neither multicast", "expected"},
		{"--transparent", "[ff02::1]:1", "neither multicast", "expected"},
		{"--forward", "127.0.0.1:1", "no '='", "ADDR:PORT=HOST:PORT"},
		{"--forward", "x=h:1", "expected an IP address", "ADDR:PORT"},
		{"--forward", "127.0.0.1:1=h", "\"h\": expected a destination", "HOST:PORT"},
		{"--forward", "127.0.0.1:1=h:65536", "\"h:65536\": expected a destination",
		 "1 to 65535"},
		{"--forward", "[fd00::1]:1=h:1", "a forward cannot ask", "--allow"},
		{"--user", "alice", "no ':'", "NAME:PASSWORD-FILE"},
		{"--user", ":/dev/null", "\"\": expected a user's name", "1 to 255 bytes"},
		{"--user", "alice:", "cannot be read: No such file", "a file"},
		{"--user", "alice:/nonexistent", "cannot be read: No such file", "a file"},
		{"--user", "alice:/dev/null", "no password", "1 to 255 bytes"},
		{"--user", "alice:/dev/zero", "File too large", "at most 4096"},
		{"--allow", "192.168.1.0/", "expected ADDR", "ADDR/BITS"},
		{"--mptcp", "yes", "expected", "expected auto, on or off"},
		{"--congestion", "nosuch", "no such congestion", "auto, system"},
		{"--congestion", "", "no such congestion", "auto, system"},
		{"--tcp-only-expiry", "1x", "expected a time", "0.1 to 604800"},
		{"--tcp-only-retry", "", "expected a whole number", "1 to 1000000"},
		{"--tcp-only-retry", "-1", "expected a whole number", "1 to 1000000"},
		{"--links", "none", "expected", "expected listed, auto or manual"},
		{"--link", "dsl", "no '='", "NAME=DEVICE[,ROLE[,WEIGHT]]"},
		{"--link", "dsl=", "\"\": expected the name of a network interface",
		 "1 to 15 of the characters"},
		{"--link", "=ppp0", "\"\": expected a name", "1 to 31"},
		{"--link", "dsl=ppp0,best", "\"best\": expected",
		 "primary, shared, backup, metered or off"},
		{"--link", "dsl=ppp0,,2", "expected", "primary, shared, backup, metered or off"},
		{"--link", "dsl=ppp0,shared,", "\"\": expected a whole number", "1 to 100"},
		{"--link", "dsl=ppp0,shared,1,2", "\"2\": unexpected",
		 "expected NAME=DEVICE[,ROLE[,WEIGHT]]"},
		{"--tier", "", "expected", "auto, copy, splice, sockmap or packets"},
		{"--timeout", "idle", "no '='", "NAME=TIME"},
		{"--timeout", "sleep=1", "\"sleep\": no setting of timeouts",
		 "handshake, resolve, connect, idle, half-closed, drain or event"},
		{"--timeout", "idle=", "expected a time", "0.1 to 604800"},
		{"--timeout", "idle= 1", "expected a time", "0.1 to 604800"},
		{"--timeout", "idle=nan", "expected a time", "0.1 to 604800"},
		{"--timeout", "idle=8d", "\"8d\": expected a time", "0.1 to 604800 seconds"},
		{"--timeout", "idle=99ms", "\"99ms\": expected a time", "15m or 1h"},
		{"--timeout", "idle=1M", "\"1M\": expected a time", "15m or 1h"},
		{"--sticky", "yes", "--sticky yes: expected no, or a time",
		 "0.1 to 604800 seconds"},
		{"--sticky", "0", "expected no, or a time", "0.1 to 604800 seconds"},
		{"--portal-check", "https://a.test/", "expected auto, off, or http://HOST",
		 "no https"},
		{"--portal-check", "http:///x", "expected auto, off, or http://HOST", "no https"},
		{"--portal-check", "http://a.test:0/", "expected auto", "without blanks"},
		{"--portal-check", "http://a.test/a b", "expected auto", "without blanks"},
		{"--portal-check", "on", "expected auto, off, or", "255 bytes"},
		{"--tick", "99us", "expected auto or off", "100 to 100000 microseconds"},
		{"--tick", "1s", "expected auto or off", "100 to 100000 microseconds"},
		{"--tune", "tick-min-us=2K", "\"2K\": expected 100", "500us, 4ms or 2s"},
		{"--tune", "chat-backoff-ms=1500us", "\"1500us\": expected 1", "milliseconds"},
		{"--tune", "keepalive-idle-s=500ms", "\"500ms\": expected 1", "seconds"},
		{"--tune", "pump-bytes=1G", "\"1G\": expected a number of bytes",
		 "16384 to 67108864"},
		{"--tune", "tick-windows=1K", "expected a whole number", "1 to 1000"},
		{"--workers", "", "expected a whole number", "1 to 64"},
		{"--workers", "+1", "expected a whole number", "1 to 64"},
		{"--control", "", "expected the path of a socket", "1 to 107 bytes"},
		{"--log-level", "INFO", "expected", "expected error, warning, info or debug"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		assert_option_error(errors[i][0], errors[i][1], errors[i][2], errors[i][3]);
}

static void test_option_duplicates(void **state)
{
	char user[128];

	(void)state;
	assert_null(load("--socks", "127.0.0.1:1", "--forward", "127.0.0.1:1=h:1"));
	assert_contains(fixture_log,
			"--forward 127.0.0.1:1=h:1: \"127.0.0.1:1\": a second listener");

	snprintf(user, sizeof(user), "u:%s", fixture_password);
	assert_null(load("--link", "a=e0", "--link", "a=e1"));
	assert_contains(fixture_log, "\"a\": a second link of this name; expected every name once");
	assert_null(load("--user", user, "--user", user));
	assert_contains(fixture_log, "\"u\": a second user of this name; expected every name once");

	/* The kernel would refuse the second one. */
	assert_null(load("--socks", "127.0.0.1:1080", "--transparent", "0.0.0.0:1080"));
	assert_contains(fixture_log, "--transparent 0.0.0.0:1080: overlaps the listener on "
				     "127.0.0.1:1080; expected another port");
	assert_null(load("--forward", "[::]:25=h:25", "--socks", "[fd00::1]:25", "--allow", "::1"));
	assert_contains(fixture_log, "--socks [fd00::1]:25: overlaps the listener on [::]:25");
	assert_null(load("--socks", "[::ffff:0:0]:9", "--socks", "127.0.0.1:9", "--allow", "::1"));
	assert_contains(fixture_log, "--socks 127.0.0.1:9: overlaps the listener on 0.0.0.0:9");

	write_conf("listen \"a\" { address = [::1]:9 }\n");
	assert_null(load("-c", fixture_conf, "--socks", "[::1]:9"));
	assert_contains(fixture_log, "error: --socks [::1]:9: a second listener");
}

static void test_password_length(void **state)
{
	char user[128];
	char password[257];
	struct config *config;

	(void)state;
	snprintf(user, sizeof(user), "u:%s", fixture_password);
	memset(password, 'p', sizeof(password));
	write_bytes(fixture_password, password, 256);
	assert_option_error("--user", user, "no password on its first line", "1 to 255 bytes");

	password[255] = '\n';
	write_bytes(fixture_password, password, 257);
	config = load("--user", user);
	assert_non_null(config);
	assert_int_equal(strlen(config->users.user[0].password), 255);
	config_put(config);

	write_bytes(fixture_password, "a\0b\n", 4);
	assert_option_error("--user", user, "no password on its first line", "no NUL");
	write_bytes(fixture_password, "\nsecond line\n", 13);
	assert_option_error("--user", user, "no password on its first line", "1 to 255 bytes");
}

/* No user would get in with what such a file would mean. */
static void test_password_of_an_editor(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *wrong;
	} files[] = {
		{"\xef\xbb\xbfsecret\n", 10, "line 1: the file begins with a byte order mark"},
		{"\xff\xfes\0e\0\n", 8, "line 1: the file is UTF-16"},
		{"s\0e\0c\0\n\0", 8, "line 1: the file is UTF-16"},
		{"\0s\0e\0c\0\n", 8, "line 1: the file is UTF-16"},
		{"secret\rsecond\r", 14, "line 1: a carriage return alone"},
		{"secret\nsecond\rthird", 19, "line 2: a carriage return alone"},
		{"\xe2\x80\x9csecret\xe2\x80\x9d\n", 13, "stray typographic quote"},
		{"secret\xe2\x80\x99\n", 10, "stray typographic quote"},
		{"secret\xc2\xa0\n", 9, "stray space that is not ASCII"},
		{"\xe2\x80\x8bsecret\n", 10, "stray invisible character"},
		{"sec\tret\n", 8, "stray control character"},
		{"sec\x1bret\n", 8, "stray control character"},
	};
	char user[128];
	struct config *config;

	(void)state;
	snprintf(user, sizeof(user), "u:%s", fixture_password);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		write_bytes(fixture_password, files[i].text, files[i].len);
		assert_option_error("--user", user, files[i].wrong, "expected");
	}
	/* Both may be meant. */
	write_bytes(fixture_password, "don\xe2\x80\x99t \xc3\xbc\r\n", 12);
	config = load("--user", user);
	assert_non_null(config);
	assert_string_equal(fixture_log, "");
	assert_string_equal(config->users.user[0].password, "don\xe2\x80\x99t \xc3\xbc");
	config_put(config);
	write_bytes(fixture_password, "secret \n", 8);
	config = load("--user", user);
	assert_non_null(config);
	assert_contains(fixture_log, "begins or ends with a blank");
	assert_one_line(fixture_log);
	config_put(config);
}

/* A congestion control that the kernel has and that an ordinary user may not have. */
static bool find_reserved_congestion(char name[64])
{
	char available[256];
	char allowed[256] = "";
	char *rest = available;
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_allowed_congestion_control", "re");

	if (!file)
		return false;
	if (!fgets(allowed, sizeof(allowed), file))
		allowed[0] = '\0';
	fclose(file);
	kernel_congestion_list(available, sizeof(available));
	for (char *word; (word = strsep(&rest, " "));) {
		if (*word && !strstr(allowed, word)) {
			snprintf(name, 64, "%s", word);
			return true;
		}
	}
	return false;
}

static void test_congestion_reserved(void **state)
{
	char name[64];
	int status;
	pid_t pid;

	(void)state;
	if (!find_reserved_congestion(name)) {
		print_message("SKIP: every congestion control of this kernel is allowed to all\n");
		skip();
	}
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool refused =
			(geteuid() != 0 || (setgroups(0, NULL) == 0 && setuid(65534) == 0)) &&
			!load("--congestion", name) &&
			strstr(fixture_log, "tcp_allowed_congestion_control") &&
			strstr(fixture_log, "CAP_NET_ADMIN");

		_exit(refused ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_option_values),	  TEST(test_option_duplicates),
		TEST(test_congestion_reserved),	  TEST(test_password_length),
		TEST(test_password_of_an_editor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
