/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the access log: what is in them, and that nothing in them can pass for something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "access_log/access_line.h"

static union address client;
static union address server;
static char line[ACCESS_LINE_MAX];

static int setup(void **state)
{
	(void)state;
	address_parse("192.168.1.5:4242", &client);
	address_parse("[2001:db8::1]:443", &server);
	return 0;
}

static struct access_record bare(void)
{
	return (struct access_record){.time_ms = 1700000000123,
				      .session = 7,
				      .client = &client,
				      .protocol = "none",
				      .tier_up = "-",
				      .tier_down = "-",
				      .from = "tcp",
				      .to = "none",
				      .cause = "client-gone"};
}

static void what_there_is_not_is_a_dash(void **state)
{
	const struct access_record record = bare();
	const size_t len = access_line_format(&record, line);

	(void)state;
	assert_string_equal(
		line,
		"2023-11-14T22:13:20.123Z session=7 client=192.168.1.5:4242 user=- protocol=none "
		"asked=- server=- exit=- links=- up=0 down=0 duration=0.000 tier=-/- from=tcp "
		"to=none cause=client-gone\n");
	assert_int_equal(len, strlen(line));
}

static void all_of_it(void **state)
{
	const struct access_link links[] = {{"dsl", 1, 2}, {"lte", 30, 40}};
	struct access_record record = bare();

	(void)state;
	record.user = "alice";
	record.protocol = "socks5";
	record.asked = "example.org:443";
	record.server = &server;
	record.exit = "vps";
	record.links = links;
	record.link_count = 2;
	record.up = UINT64_MAX;
	record.down = 4;
	record.duration_s = 1.0625;
	record.tier_up = "splice";
	record.tier_down = "sockmap";
	record.to = "mptcp";
	record.cause = "none";
	access_line_format(&record, line);
	assert_non_null(strstr(line, " user=alice protocol=socks5 asked=example.org:443 "
				     "server=[2001:db8::1]:443 exit=vps links=dsl:1/2,lte:30/40 "
				     "up=18446744073709551615 down=4 duration=1.062 "
				     "tier=splice/sockmap from=tcp to=mptcp cause=none\n"));
}

static void names_pass_for_nothing_else(void **state)
{
	static const struct {
		const char *value;
		const char *quoted;
	} cases[] = {
		{"alice", "alice"},
		{"", "-"},
		{NULL, "-"},
		{"-", "\"-\""},
		{"a b", "\"a b\""},
		{"a=b", "\"a=b\""},
		{"a\"b\\c", "\"a\\x22b\\x5cc\""},
		{"a\nb\x1b\x7f", "\"a\\x0ab\\x1b\\x7f\""},
		{"\xc3\xa4", "\"\\xc3\\xa4\""},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(access_line_quote(cases[i].value, out, sizeof(out)),
				    cases[i].quoted);
}

/* The longest names, of nothing but what must be escaped. */
static void the_longest_fits(void **state)
{
	char name[256], quoted[16];
	struct access_link links[16];
	struct access_record record = bare();

	(void)state;
	memset(name, '\n', sizeof(name));
	name[255] = '\0';
	record.user = record.asked = record.exit = name;
	record.links = links;
	record.link_count = 16;
	for (size_t i = 0; i < 16; i++)
		links[i] = (struct access_link){name + 224, UINT64_MAX, UINT64_MAX};
	assert_true(access_line_format(&record, line) < ACCESS_LINE_MAX - 1);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_non_null(strstr(line, " cause=client-gone\n"));
	/* Cut, it still ends with its quote. */
	assert_string_equal(access_line_quote(name, quoted, sizeof(quoted)), "\"\\x0a\\x0a\\x0a\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_there_is_not_is_a_dash),
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(names_pass_for_nothing_else),
		cmocka_unit_test(the_longest_fits),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
