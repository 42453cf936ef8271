/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens: their line, their files, and what is said of those that are wrong. */
#include "../config/config_fixture.h"

#include <errno.h>
#include <sodium.h>

#include "auth/token_file.h"
#include "proto/speed_message.h"
#include "proto/token.h"

/* The bytes 0 to 31. */
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static char error[TOKEN_ERROR_MAX];
static struct token token;

static void a_new_line_can_be_read(void **state)
{
	char first[TOKEN_LINE_MAX];
	char second[TOKEN_LINE_MAX];

	(void)state;
	token_new_line("home", first);
	token_new_line("home", second);
	assert_string_not_equal(first, second);
	assert_int_equal(token_parse(first, &token, error), 0);
	assert_string_equal(token.name, "home");
	assert_int_equal(strlen(first), strlen("home ") + 43);
}

static void the_key_is_its_bytes(void **state)
{
	(void)state;
	assert_int_equal(token_parse("a.b-c_9 " KEY, &token, error), 0);
	for (uint8_t i = 0; i < TOKEN_KEY_BYTES; i++)
		assert_int_equal(token.key[i], i);
	assert_int_equal(token.sessions_max, 0);
	assert_int_equal(token.to_count, 0);
}

static void limits_follow_the_key(void **state)
{
	(void)state;
	assert_int_equal(token_parse(" home\t" KEY "  rate=125000 to=192.0.2.0/24,2001:db8::/32 "
				     "sessions=7 ",
				     &token, error),
			 0);
	assert_int_equal(token.sessions_max, 7);
	assert_int_equal(token.rate, 125000);
	assert_int_equal(token.to_count, 2);
	assert_int_equal(token.to[0].bits, 24);
}

/* Bytes a day; without a word, the standard. */
static void speed_tests_are_limited(void **state)
{
	static const struct {
		const char *line;
		uint64_t bytes;
	} cases[] = {
		{"home " KEY, SPEED_DAY_BYTES},
		{"home " KEY " speedtest=20G", 20000000000},
		{"home " KEY " speedtest=0 rate=1M", 0},
		{"home " KEY " speedtest=7", 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(token_parse(cases[i].line, &token, error), 0);
		assert_int_equal(token.speed_bytes, cases[i].bytes);
	}
}

/* Bits with a suffix; bytes, as ever, without. */
static void rates_have_suffixes(void **state)
{
	static const struct {
		const char *line;
		uint64_t rate;
	} cases[] = {
		{"home " KEY " rate=100M", 12500000},
		{"home " KEY " rate=800K", 100000},
		{"home " KEY " rate=20G", 2500000000},
		{"home " KEY " rate=12500000", 12500000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(token_parse(cases[i].line, &token, error), 0);
		assert_int_equal(token.rate, cases[i].rate);
	}
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *line, *part;
	} cases[] = {
		{"", "name"},
		{"a/b " KEY, "A-Z a-z"},
		{"home", "no key after the name"},
		{KEY " home", "43 characters"}, /* swapped: neither is quoted */
		{"home " KEY "A", "43 characters"},
		{"home AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh", "43 characters"},
		{"home AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+", "43 characters"},
		{"home " KEY " fast", "\"fast\" is no limit"},
		{"home " KEY " sessions=0", "1 to 1000000"},
		{"home " KEY " sessions=1 sessions=2", "second of its kind"},
		{"home " KEY " sessions=99999999999999999999", "1 to 1000000"},
		{"home " KEY " rate=99999", "100000 to"},
		{"home " KEY " rate=99999999999999999999", "100000 to"},
		{"home " KEY " rate=799K", "800K to 800G"},
		{"home " KEY " rate=801G", "800K to 800G"},
		{"home " KEY " rate=1Mbit", "800K to 800G"},
		{"home " KEY " speedtest=", "0 to 100T"},
		{"home " KEY " speedtest=101T", "0 to 100T"},
		{"home " KEY " speedtest=-1", "0 to 100T"},
		{"home " KEY " speedtest=1G speedtest=2G", "second of its kind"},
		{"home " KEY " to=", "PREFIX,PREFIX (at most 16)"},
		{"home " KEY " to=example.org", "PREFIX"},
	};
	char name[TOKEN_NAME_MAX + 60];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(token_parse(cases[i].line, &token, error), -EINVAL);
		assert_contains(error, cases[i].part);
		assert_contains(error, "expected ");
		assert_null(strstr(error, "AAECAw"));
		assert_true(sodium_is_zero((const uint8_t *)&token, sizeof(token)));
	}
	memset(name, 'n', TOKEN_NAME_MAX + 1);
	snprintf(name + TOKEN_NAME_MAX + 1, sizeof(name) - TOKEN_NAME_MAX - 1, " " KEY);
	assert_int_equal(token_parse(name, &token, error), -EINVAL);
	assert_int_equal(token_parse(name + 1, &token, error), 0);
}

static int read_file(const char *text, mode_t mode, struct token_set *set)
{
	int saved;
	int fd;
	int err;

	write_conf(text);
	assert_int_equal(chmod(fixture_conf, mode), 0);
	fd = log_capture(&saved);
	err = token_file_read(fixture_conf, set);
	log_restore(fd, saved);
	return err;
}

static void a_file_has_a_token_a_line(void **state)
{
	struct token_set set;

	(void)state;
	assert_int_equal(
		read_file("# a comment\n\n  \none " KEY "\r\ntwo " KEY " sessions=3", 0640, &set),
		0);
	assert_string_equal(fixture_log, "");
	assert_int_equal(set.count, 2);
	assert_ptr_equal(token_set_find(&set, "two", 3), &set.token[1]);
	assert_ptr_equal(token_set_find(&set, "one ", 3), &set.token[0]);
	assert_null(token_set_find(&set, "on", 2));
	assert_null(token_set_find(&set, "", 0));
	token_set_free(&set);
}

static void a_wrong_file_is_one_line_with_its_place(void **state)
{
	struct token_set set;
	char place[128];

	(void)state;
	snprintf(place, sizeof(place), "%s:3: ", fixture_conf);
	assert_int_equal(read_file("one " KEY "\n\ntwo what\n", 0600, &set), -EINVAL);
	assert_contains(fixture_log, place);
	assert_one_line(fixture_log);
	assert_int_equal(read_file("one " KEY "\n\none " KEY "\n", 0600, &set), -EINVAL);
	assert_contains(fixture_log, place);
	assert_contains(fixture_log, "every name once");
	assert_null(set.token);
}

static void what_an_editor_made_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} files[] = {
		{"\xef\xbb\xbfone " KEY "\n", ":1: the file begins with a byte order mark"},
		{"one " KEY "\rtwo " KEY "\r", ":1: a carriage return alone"},
		{"# it\xe2\x80\x99s\none " KEY "\n\xe2\x80\x9ctwo " KEY "\xe2\x80\x9d\n",
		 ":3: stray typographic quote"},
		{"one\xc2\xa0" KEY "\n", ":1: stray space that is not ASCII"},
		{"one " KEY " to=10.0.0.0/8\xe2\x80\x8b\n", ":1: stray invisible character"},
	};
	struct token_set set;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		assert_int_equal(read_file(files[i].text, 0600, &set), -EINVAL);
		assert_contains(fixture_log, files[i].says);
		assert_contains(fixture_log, "expected ");
		assert_null(strstr(fixture_log, "AAECAw"));
		assert_one_line(fixture_log);
	}
}

static void a_file_may_have_none(void **state)
{
	struct token_set set;

	(void)state;
	assert_int_equal(read_file("# nothing\n", 0600, &set), 0);
	assert_int_equal(set.count, 0);
	assert_null(token_set_find(&set, "one", 3));
	token_set_free(&set);
}

static void everybody_may_not_read_it(void **state)
{
	static const mode_t open[] = {0604, 0644, 0602, 0666};
	struct token_set set;

	(void)state;
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++) {
		assert_int_equal(read_file("one " KEY "\n", open[i], &set), -EACCES);
		assert_contains(fixture_log, "chmod 600");
		assert_one_line(fixture_log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_line_can_be_read),
		cmocka_unit_test(the_key_is_its_bytes),
		cmocka_unit_test(limits_follow_the_key),
		cmocka_unit_test(rates_have_suffixes),
		cmocka_unit_test(speed_tests_are_limited),
		TEST(what_an_editor_made_is_named),
		cmocka_unit_test(what_is_wrong_is_said),
		TEST(a_file_has_a_token_a_line),
		TEST(a_wrong_file_is_one_line_with_its_place),
		TEST(a_file_may_have_none),
		TEST(everybody_may_not_read_it),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
