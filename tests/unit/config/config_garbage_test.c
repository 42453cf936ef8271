/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No file makes hawserd crash or fall silent: cut, damaged and random ones. Meant for SAN=1. */
#include "config_fixture.h"

#define GARBAGE_ROUNDS 3000

/* Either a configuration and no word, or none and one line. */
static void assert_sane(const void *bytes, size_t len)
{
	struct config *config;

	write_bytes(fixture_conf, bytes, len);
	config = load("-c", fixture_conf);
	if (config) {
		assert_string_equal(fixture_log, "");
	} else {
		assert_contains(fixture_log, "error: /tmp/hawser-config-");
		assert_contains(fixture_log, "expected");
		assert_one_line(fixture_log);
	}
	config_put(config);
}

static void test_prefixes(void **state)
{
	char *text = full_text();

	(void)state;
	for (size_t len = 0; len <= strlen(text); len++)
		assert_sane(text, len);
	free(text);
}

static void test_garbage(void **state)
{
	static const char pieces[][12] = {"{",
					  "}",
					  "=",
					  ",",
					  "\"",
					  "'",
					  "\n",
					  " ",
					  "listen",
					  "to",
					  "address",
					  "access",
					  "allow",
					  "daemon",
					  "workers",
					  "|",
					  "\\",
					  "/*",
					  "*/",
					  "#",
					  "${A}",
					  "\"a|b\"",
					  "\"listen|to\"",
					  "\"listen=a|\"",
					  "\"a\"",
					  "1",
					  "::1",
					  "+=",
					  "\xff"};
	unsigned int seed = 20;
	char *text = full_text();
	char bytes[512];

	(void)state;
	for (int round = 0; round < GARBAGE_ROUNDS; round++) {
		size_t len = 0;

		switch (round % 3) {
		case 0: /* any bytes */
			len = (size_t)rand_r(&seed) % 64;
			for (size_t i = 0; i < len; i++)
				bytes[i] = (char)rand_r(&seed);
			break;
		case 1: /* tokens in any order */
			for (int i = rand_r(&seed) % 30; i > 0; i--) {
				size_t pick = (size_t)rand_r(&seed) % (sizeof(pieces) / 12);

				memcpy(bytes + len, pieces[pick], strlen(pieces[pick]));
				len += strlen(pieces[pick]);
			}
			break;
		case 2: /* a valid file with one byte changed */
			len = strlen(text);
			if (len > sizeof(bytes))
				len = sizeof(bytes);
			memcpy(bytes, text, len);
			bytes[(size_t)rand_r(&seed) % len] = (char)rand_r(&seed);
			break;
		}
		assert_sane(bytes, len);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_prefixes),
		TEST(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
