/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The word that an exit gives to its router. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/exit_line.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static struct exit_line line;
static char error[EXIT_LINE_ERROR_MAX];

static void what_is_written_can_be_read(void **state)
{
	static const char *const words[] = {
		"hawser://router:" KEY "@192.0.2.1:1080/vps",
		"hawser://a.b-c_9:" KEY "@[2001:db8::1]:65535/x",
		"hawser://r:" KEY "@vps.example.org:1/[a]:b",
		"hawser://r:" KEY "@192.0.2.1,[2001:db8::1]:1080/vps",
		"hawser://r:" KEY "@[2001:db8::1],192.0.2.1:1080/vps",
	};
	char text[EXIT_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		assert_int_equal(exit_line_parse(words[i], &line, error), 0);
		assert_string_equal(exit_line_format(&line, text), words[i]);
	}
}

static void the_whole_command_may_be_pasted(void **state)
{
	(void)state;
	assert_int_equal(exit_line_parse(" hawser exit-add  hawser://r:" KEY
					 "@192.0.2.1:1080/vps \r\n",
					 &line, error),
			 0);
	assert_string_equal(line.name, "vps");
	assert_string_equal(line.token, "r " KEY);
	assert_int_equal(line.place.destination.port, 1080);
}

static void nonsense_is_named(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} bad[] = {
		{"", "does not begin with hawser://"},
		{"https://r:" KEY "@192.0.2.1:1080/vps", "does not begin with hawser://"},
		{"hawser://r:" KEY, "there is no @"},
		{"hawser://r:" KEY "@192.0.2.1:1080", "is the end cut off?"},
		{"hawser://r:" KEY "@192.0.2.1:1080/", "no exit's name"},
		{"hawser://r:" KEY "@192.0.2.1:1080/a/b", "no exit's name"},
		{"hawser://r:" KEY "@192.0.2.1:0/vps", "no address of an exit"},
		{"hawser://r:" KEY "@192.0.2.1/vps", "no address of an exit"},
		{"hawser://r:" KEY "@192.0.2.1,2001:db8::1:1080/vps", "no address of an exit"},
		{"hawser://r:" KEY "@192.0.2.1,192.0.2.2:1080/vps", "no address of an exit"},
		{"hawser://r:" KEY "@192.0.2.1,vps.example.org:1080/vps", "no address of an exit"},
		{"hawser://r:" KEY "@vps.example.org,[2001:db8::1]:1080/vps",
		 "no address of an exit"},
		{"hawser://r:" KEY "@192.0.2.1,:1080/vps", "no address of an exit"},
		{"hawser://r:" KEY "@192.0.2.1,[::1],[::2]:1080/vps", "no address of an exit"},
		{"hawser://r@192.0.2.1:1080/vps", "no TOKEN:KEY"},
		{"hawser://r:short@192.0.2.1:1080/vps", "no key after the name"},
		{"hawser://r s:" KEY "@192.0.2.1:1080/vps", "no TOKEN:KEY"},
		{"hawser://:" KEY "@192.0.2.1:1080/vps", "no key after the name"},
		{"hawser://r:" KEY " rate=1M@192.0.2.1:1080/vps", "no TOKEN:KEY"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_not_equal(exit_line_parse(bad[i].text, &line, error), 0);
		assert_non_null(strstr(error, bad[i].says));
		assert_null(strstr(error, KEY));
		assert_string_equal(line.token, "");
	}
}

static void what_is_too_long_is_refused(void **state)
{
	char text[2 * EXIT_LINE_MAX];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "hawser://", strlen("hawser://"));
	text[sizeof(text) - 1] = '\0';
	assert_int_not_equal(exit_line_parse(text, &line, error), 0);
	assert_non_null(strstr(error, "too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(the_whole_command_may_be_pasted),
		cmocka_unit_test(nonsense_is_named),
		cmocka_unit_test(what_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
