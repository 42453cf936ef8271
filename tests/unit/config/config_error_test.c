/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hawserd says of a wrong configuration file: the place, the bad token, what is expected. */
#include "config_fixture.h"

#include <grp.h>
#include <sys/wait.h>

#include "net/kernel.h"

struct file_error {
	const char *text;
	int line;
	const char *wrong;
	const char *expected;
};

/* "error: CONF:LINE: ...wrong...expected..." and nothing else. */
static void assert_file_error(const struct file_error *error)
{
	char start[160];
	struct config *config = load_text(error->text);

	snprintf(start, sizeof(start), "error: %s:%d: ", fixture_conf, error->line);
	if (config || strncmp(fixture_log, start, strlen(start)) != 0)
		fail_msg("%s\n%s, but: \"%s\"", error->text, start, fixture_log);
	assert_contains(fixture_log, error->wrong);
	assert_contains(fixture_log, error->expected);
	assert_one_line(fixture_log);
}

#define ASSERT_FILE_ERRORS(errors)                                                                 \
	for (size_t i = 0; i < sizeof(errors) / sizeof(*(errors)); i++)                            \
	assert_file_error(&(errors)[i])

#define SECTIONS "daemon {...}, listen \"NAME\" {...}, access {...}, user \"NAME\" {...}"

static void test_file_syntax(void **state)
{
	static const struct file_error errors[] = {
		/* unknown names */
		{"# one\n# two\n\ndeamon { }\n", 4, "'deamon'", SECTIONS},
		{"daemon {\n\tworkers = 2\n\tthreads = 2\n}\n", 3, "'threads'",
		 "workers = ..., control = ..., state-dir = ..., history = ..., log-level = ..., "
		 "access-log = ..., on-event = ..."},
		{"listen \"a\" { port = 1 }\n", 1, "'port'", "address = ..., to = ..."},
		/* known ones, elsewhere */
		{"access-log = \"/a\"\n", 1, "'access-log'; it is one of daemon {...}; expected",
		 SECTIONS},
		{"daemon { quota = 1G }\n", 1, "'quota'; it is one of link \"NAME\" {...}; ",
		 "workers"},
		{"relay {\n\taddress = \"a\" }\n", 2,
		 "; it is one of listen \"NAME\" {...}, exit \"NAME\" {...}; ", "tier = ..."},
		{"access {\n deny = { \"::/0\" }\n}\n", 2, "'deny'", "allow = {...}"},
		{"workers = 2\n", 1, "'workers'", SECTIONS},
		{"include(\"other\")\n", 1, "stray '('", "names"},
		/* braces */
		{"relay { tier = auto }\ndaemon {\n workers = 2\n\nrelay { }\n", 2, "never closed",
		 "a } for every {"},
		{"access {\n allow = { \"::1\"\n}\n", 1, "never closed", "}"},
		{"/* a\n b */ relay { }\n}\n", 3, "unexpected closing brace", SECTIONS},
		{"listen { address = \"127.0.0.1:1\" }\n", 1, "missing title for section 'listen'",
		 "listen \"NAME\" {...}"},
		{"relay = { }\n", 1, "missing opening brace for section 'relay'", "relay {...}"},
		/* values of another shape */
		{"daemon { workers 2 }\n", 1, "missing equal sign after option 'workers'",
		 "workers = ..."},
		{"daemon {\n\n workers = { 1, 2 } }\n", 3, "unexpected token '{'", "workers = ..."},
		{"daemon {\n workers = }\n", 2, "unexpected token '}'", "workers = ..."},
		{"access { allow = { \"::1\" \"::2\" } }\n", 1, "unexpected token",
		 "allow = {...}"},
		{"access { allow += { \"::1\" } }\n", 1, "stray '+'", "'='"},
		/* strings and bytes */
		{"daemon {\n control = \"/run\n}\n", 2, "unterminated string",
		 "\"...\" on one line"},
		{"daemon {\n control = '/run\n}\n", 2, "unterminated string", "'...' on one line"},
		{"/* a\n b */\n\"x\n", 3, "unterminated string", "on one line"},
		{"# x\n\n/* begins\n\n", 3, "unterminated comment", "/* ... */"},
		{"daemon { control = \"${HOME}/x\" }\n", 1, "\"${\" in a string",
		 "the value itself"},
		{"daemon { control = ${HOME} }\n", 1, "stray '$'", "\"strings\""},
		{"daemon { control = \"a\\tb\" }\n", 1, "\"\\t\"", "expected \\\\ or \\\""},
		{"daemon { control = \"a\tb\" }\n", 1, "0x09 in a string", "text"},
		{"daemon {\n control = \"\" }\n", 2, "empty string", "one character"},
		{"listen \"a\" {\n address = \"\"\n}\n", 2, "empty string", "one character"},
		/* what editors and web pages make of a file */
		{"\xef\xbb\xbfrelay {}\n", 1, "begins with a byte order mark", "without one"},
		{"\xff\xfer", 1, "UTF-16", "expected UTF-8"},
		{"\xfe\xff", 1, "UTF-16", "expected UTF-8"},
		{"# one\n# two\rrelay { tier = copy }\r", 2, "a carriage return alone",
		 "line feed"},
		{"\n\xef\xbb\xbf", 2, "stray invisible character", "names"},
		{"\xe2\x80\x9c"
		 "a",
		 1, "stray typographic quote", "\"strings\""},
		{"listen \xe2\x80\x9elan\xe2\x80\x9c {}", 1, "stray typographic quote", "names"},
		{"listen \xc2\xbblan\xc2\xab {}", 1, "stray typographic quote", "names"},
		{"relay {\n tier\xc2\xa0= auto }\n", 2, "stray space that is not ASCII", "names"},
		{"intercept { bypass-port = { 6000\xe2\x80\x93 6063 } }", 1,
		 "stray typographic dash", "names"},
		{"relay {\n tier = \"auto\xe2\x80\x9d\n}\n", 2,
		 "unterminated string with a typographic quote", "on one line"},
		{"\n\xc3\xa9", 2, "stray byte 0xc3", "names"},
		{"relay {}\n*", 2, "stray '*'", "names"},
	};

	(void)state;
	ASSERT_FILE_ERRORS(errors);
}

static void test_file_values(void **state)
{
	static const struct file_error errors[] = {
		{"daemon {\n\n workers = 0 }\n", 3, "workers \"0\"", "1 to 64"},
		{"daemon { workers = 65 }\n", 1, "workers \"65\"", "1 to 64"},
		{"daemon { workers = two }\n", 1, "workers \"two\"", "1 to 64"},
		{"daemon { workers = -1 }\n", 1, "workers \"-1\"", "1 to 64"},
		{"daemon { workers = 2x }\n", 1, "workers \"2x\"", "1 to 64"},
		{"daemon { workers = 99999999999999999999 }\n", 1, "workers \"9999", "1 to 64"},
		{"daemon { log-level = \"loud\" }\n", 1, "log-level \"loud\"",
		 "expected error, warning, info or debug"},
		{"upstream {\n # c\n mptcp = \"yes\"\n}\n", 3, "mptcp \"yes\"",
		 "expected auto, on or off"},
		{"upstream { mptcp = Auto }\n", 1, "mptcp \"Auto\"", "expected auto, on or off"},
		{"upstream { congestion = \"nosuch\" }\n", 1, "congestion \"nosuch\"",
		 "auto, system, or one of this kernel: "},
		{"upstream { congestion = \"a-name-of-16-byt\" }\n", 1, "no such congestion",
		 "auto"},
		{"upstream { tcp-only-expiry = 0 }\n", 1, "tcp-only-expiry \"0\"", "0.1 to 604800"},
		{"upstream { tcp-only-retry = 0 }\n", 1, "tcp-only-retry \"0\"", "1 to 1000000"},
		{"upstream { tcp-only-retry = 1000001 }\n", 1, "tcp-only-retry \"1000001\"",
		 "1 to 1000000"},
		{"upstream { tcp-only-retry = 4x }\n", 1, "tcp-only-retry \"4x\"", "1 to 1000000"},
		{"upstream { links = some }\n", 1, "links \"some\"",
		 "expected listed, auto or manual"},
		{"link \"a b\" { device = eth0 }\n", 1, "link \"a b\": expected a name",
		 "1 to 31 ASCII letters"},
		{"link a { role = shared\n}\n", 2, "ends here without device",
		 "device = \"INTERFACE\""},
		{"link a { device = \"eth 0\" }\n", 1,
		 "device \"eth 0\": expected the name of a network interface",
		 "1 to 15 of the characters"},
		{"link a { device = sixteen-bytes-xx }\n", 1,
		 "expected the name of a network interface", "15 of the characters"},
		{"link a { device = \"..\" }\n", 1, "expected the name of a network interface",
		 "15 of the characters"},
		{"link a { device = e0 }\nlink b { device = e0 }\n", 2,
		 "link \"b\": e0 is the interface of link \"a\"", "one link for each"},
		{"link a {\n device = e0\n role = master }\n", 3, "role \"master\"",
		 "primary, shared, backup, metered or off"},
		{"link a { device = e0 weight = 0 }\n", 1, "weight \"0\"", "1 to 100"},
		{"link a { device = e0 weight = 101 }\n", 1, "weight \"101\"", "1 to 100"},
		{"link a { device = e0 weight = 1.5 }\n", 1, "weight \"1.5\"", "1 to 100"},
		{"link a { device = e0 quota = 0 }\n", 1, "quota \"0\"",
		 "expected a number of bytes"},
		{"link a { device = e0 quota = 50GB }\n", 1, "quota \"50GB\"",
		 "expected a number of bytes"},
		{"link a { device = e0 quota = 5X }\n", 1, "quota \"5X\"",
		 "expected a number of bytes"},
		{"link a { device = e0 quota = G }\n", 1, "quota \"G\"",
		 "expected a number of bytes"},
		{"link a { device = e0 quota = -1 }\n", 1, "quota \"-1\"",
		 "expected a number of bytes"},
		{"link a { device = e0 quota = 18446745T }\n", 1, "quota \"18446745T\"",
		 "expected a number of bytes"},
		{"link a { device = e0 quota = 18446744073709551616 }\n", 1, "quota",
		 "expected a number of bytes"},
		{"link a { device = e0 rate-down = fast }\n", 1, "rate-down \"fast\"",
		 "bits per second"},
		{"link a { device = e0 rate-up = 1.5M }\n", 1, "rate-up \"1.5M\"",
		 "bits per second"},
		{"link a { device = e0 reset-day = 0 }\n", 1, "reset-day \"0\"", "1 to 31"},
		{"link a { device = e0 reset-day = 32 }\n", 1, "reset-day \"32\"", "1 to 31"},
		{"link a { device = e0\n demote = never }\n", 2, "demote \"never\"", "yes or no"},
		{"daemon { state-dir = state }\n", 1, "state-dir \"state\"", "begins with /"},
		{"link a { device = e0\n gateway = 10.0.0.0/8 }\n", 2, "gateway \"10.0.0.0/8\"",
		 "an IP address"},
		{"link a { device = e0 gateway = \"::\" }\n", 1, "gateway \"::\"", "an IP address"},
		{"link a { device = e0 gateway = { 10.0.0.1,\n10.0.0.2 } }\n", 2,
		 "a second gateway of this family", "one IPv4 and one IPv6"},
		{"link a { device = e0 probe = modem }\n", 1, "probe \"modem\"", "an IP address"},
		{"link a { device = e0 probe = { 10.0.0.1, 10.0.0.2, 10.0.0.3, ::1,\n10.0.0.5 } "
		 "}\n",
		 2, "one address too many", "at most 4"},
		{"link a { device = e0 probe-quorum = 5 }\n", 1, "probe-quorum \"5\"", "1 to 4"},
		{"link a { device = e0 probe = { off,\n10.0.0.1 } }\n", 2, "beside something else",
		 "off alone"},
		{"link a { device = e0 probe = { 10.0.0.1,\noff } }\n", 2, "beside something else",
		 "off alone"},
		{"relay { tier = \"fast\" }\n", 1, "tier \"fast\"",
		 "auto, copy, splice, sockmap or packets"},
		{"timeouts { idle = 0 }\n", 1, "idle \"0\"", "0.1 to 604800"},
		{"timeouts { idle = 0.09 }\n", 1, "idle \"0.09\"", "0.1 to 604800"},
		{"timeouts {\n idle = 1\n drain = 604800.1 }\n", 3, "drain \"604800.1\"", "604800"},
		{"timeouts { connect = \"10 s\" }\n", 1, "connect \"10 s\"", "0.1 to 604800"},
		{"timeouts { connect = 1.2.3 }\n", 1, "connect \"1.2.3\"", "0.1 to 604800"},
		{"timeouts { connect = . }\n", 1, "connect \".\"", "0.1 to 604800"},
		{"timeouts { handshake = inf }\n", 1, "handshake \"inf\"", "0.1 to 604800"},
		{"timeouts { resolve = 0x10 }\n", 1, "resolve \"0x10\"", "0.1 to 604800"},
		{"timeouts { half-closed = -5 }\n", 1, "half-closed \"-5\"", "0.1 to 604800"},
		/* the line of the value, not of the list */
		{"access {\n allow = {\n  \"10.0.0.0/8\",\n  \"10.0.0.0/33\",\n  \"::/0\" }\n}\n",
		 4, "allow \"10.0.0.0/33\"", "ADDR/BITS"},
		{"access { allow = { 10.0.0.1/8 } }\n", 1, "allow \"10.0.0.1/8\"",
		 "no bit set beyond BITS"},
		{"access { accept-proxy-protocol = { \"proxy.test\" } }\n", 1,
		 "accept-proxy-protocol \"proxy.test\"", "ADDR/BITS"},
		{"upstream {\n send-proxy-protocol = { \"mail.test\" } }\n", 2,
		 "send-proxy-protocol \"mail.test\"", "HOST:PORT"},
		{"access { allow = \"lan\" }\n", 1, "allow \"lan\"", "ADDR/BITS"},
		{"listen \"a\" {\n address = \"localhost:1080\"\n}\n", 2,
		 "address \"localhost:1080\"", "ADDR:PORT or [ADDR6]:PORT"},
		{"listen \"a\" { address = 127.0.0.1:0 }\n", 1, "\"127.0.0.1:0\"", "1 to 65535"},
		{"listen \"a\" {\n address = ::1:80\n}\n", 2, "\"::1:80\"", "[ADDR6]:PORT"},
		{"listen \"a\" {\n address = 127.0.0.1:1\n to = \"host\"\n}\n", 3, "to \"host\"",
		 "HOST:PORT"},
		{"listen \"a\" {\n to = \"host:1\"\n}\n", 3,
		 "listen \"a\" ends here without address", "address = \"ADDR:PORT\""},
		{"user \"u\" {\n}\n", 2, "user \"u\" ends here without password-file",
		 "password-file = \"FILE\""},
		{"user \"u\" {\n password-file = \"/nonexistent/p\"\n}\n", 2,
		 "password-file \"/nonexistent/p\": cannot be read: No such file or directory",
		 "a file"},
		{"user \"u:v\" {\n password-file = \"/dev/null\"\n}\n", 2, "user \"u:v\": expected",
		 "without a colon"},
		{"user \"u\" { password-file = \"/dev/null\" }\n", 1,
		 "no password on its first line", "1 to 255 bytes"},
		{"user \"u\" { password-file = \"/tmp\" }\n", 1, "Is a directory", "a file"},
		/* twice */
		{"daemon {\n workers = 1\n workers = 2\n}\n", 3, "workers is given twice", "once"},
		{"access {\n allow = { ::1 }\n allow = { ::2 } }\n", 3, "allow is given twice",
		 "as a list"},
		{"listen \"a\" {\n address = 127.0.0.1:1\n}\nlisten \"b\" {\n address = "
		 "127.0.0.1:1\n}\n",
		 5, "address \"127.0.0.1:1\": a second listener", "one for each"},
		{"listen \"a\" { address = 127.0.0.1:1 }\nlisten \"a\" { address = 127.0.0.1:2 }\n",
		 2, "duplicate title 'a'", "every name once"},
	};

	(void)state;
	ASSERT_FILE_ERRORS(errors);
}

static void test_file_exposed(void **state)
{
	static const struct file_error errors[] = {
		{"listen \"a\" { address = 127.0.0.1:1 }\nlisten \"b\" {\n address = "
		 "192.168.1.1:1\n}\n",
		 3, "address \"192.168.1.1:1\": not loopback",
		 "--allow 192.168.1.0/24 or access { allow = { \"192.168.1.0/24\" } }; or a "
		 "user, "
		 "--user NAME:FILE or user \"NAME\" { password-file = \"FILE\" }"},
		{"listen \"a\" {\n address = [::]:1080\n}\n", 2, "\"[::]:1080\": not loopback",
		 "--user NAME:FILE"},
		{"listen \"a\" {\n address = 0.0.0.0:25\n to = mail.example.org:25\n}\n", 2,
		 "\"0.0.0.0:25\": not loopback, and a forward cannot ask for a password",
		 "--allow 192.168.1.0/24"},
	};
	char text[512];

	(void)state;
	ASSERT_FILE_ERRORS(errors);

	/* A user opens the SOCKS listener, yet not the forward. */
	snprintf(text, sizeof(text),
		 "user \"u\" { password-file = \"%s\" }\nlisten \"s\" { address = 0.0.0.0:1080 }\n"
		 "listen \"f\" {\n address = 0.0.0.0:25\n to = h:25\n}\n",
		 fixture_password);
	assert_file_error(&(struct file_error){text, 4, "a forward cannot ask", "--allow"});
}

static void test_file_unreadable(void **state)
{
	char start[160];

	(void)state;
	unlink(fixture_conf);
	assert_null(load("-c", fixture_conf));
	snprintf(start, sizeof(start), "error: %s: cannot be read: No such file or directory",
		 fixture_conf);
	assert_contains(fixture_log, start);
	assert_contains(fixture_log, "expected a configuration file");
	assert_one_line(fixture_log);

	assert_null(load("-c", fixture_dir));
	assert_contains(fixture_log, "cannot be read: Is a directory");
	assert_one_line(fixture_log);

	write_conf("");
	assert_int_equal(truncate(fixture_conf, 1000001), 0);
	assert_null(load("-c", fixture_conf));
	assert_contains(fixture_log,
			"File too large; expected a configuration file of at most 1000000");
	assert_one_line(fixture_log);

	/* A NUL byte would end the text early. */
	write_bytes(fixture_conf, "relay {\n\0}\n", 11);
	assert_null(load("-c", fixture_conf));
	assert_contains(fixture_log, "/conf:2: stray byte 0x00");
	assert_one_line(fixture_log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_syntax),
		TEST(test_file_values),
		TEST(test_file_exposed),
		TEST(test_file_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
