/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http_chunked.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct end {
	enum parse result;
	char payload[256];
	size_t payload_len;
	size_t rest; /* bytes behind the body */
	char trailers[256];
};

/* Feeds first bytes, then as many as then at a time; each call sees a block of its own. */
static struct end play(const char *text, size_t first, size_t then)
{
	struct http_chunked chunked = {0};
	const size_t len = strlen(text);
	struct end end = {.result = PARSE_MORE, .rest = len};

	for (size_t size = first; end.result == PARSE_MORE; size = then) {
		const size_t n = size < end.rest ? size : end.rest;
		uint8_t *block = malloc(n + 1);
		size_t consumed, payload;

		memcpy(block, text + len - end.rest, n);
		end.result = http_chunked_take(&chunked, block, n, &consumed, &payload);
		assert_true(payload <= consumed && consumed <= n);
		assert_true(end.result != PARSE_MORE || consumed == n);
		memcpy(end.payload + end.payload_len, block, payload);
		end.payload_len += payload;
		end.rest -= consumed;
		free(block);
		if (end.rest == 0)
			break;
	}
	if (end.result == PARSE_DONE)
		memcpy(end.trailers, chunked.trailers, chunked.trailers_len);
	http_chunked_free(&chunked);
	return end;
}

/* The same for every place of a cut, and byte by byte. */
static struct end play_all(const char *text)
{
	struct end whole = play(text, strlen(text), 1);

	for (size_t first = 0; first <= strlen(text); first++) {
		for (size_t then = 1; then <= 3; then++) {
			struct end other = play(text, first, then);

			assert_int_equal(other.result, whole.result);
			if (whole.result == PARSE_BAD)
				continue;
			assert_memory_equal(&other, &whole, sizeof(other));
		}
	}
	return whole;
}

static void the_coding_is_taken_off(void **state)
{
	static const struct {
		const char *text, *payload, *trailers;
		size_t rest;
	} cases[] = {
		{"0\r\n\r\n", "", "\r\n", 0},
		{"5\r\nhello\r\n0\r\n\r\n", "hello", "\r\n", 0},
		{"5\r\nhello\r\n00005\r\nworld\r\n000\r\n\r\nGET", "helloworld", "\r\n", 3},
		{"A\r\n0\r\n\r\n67890\r\na\r\n1234567890\r\n0\r\n\r\n\r\n",
		 "0\r\n\r\n678901234567890", "\r\n", 2},
		{"1;a=\"b;c\"\r\nx\r\n1 ; q\r\ny\r\n0;last\r\n\r\n", "xy", "\r\n", 0},
		{"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\nrest", "x", "A: b\r\nC:\r\n\r\n", 4},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct end end = play_all(cases[i].text);

		assert_int_equal(end.result, PARSE_DONE);
		assert_string_equal(end.payload, cases[i].payload);
		assert_string_equal(end.trailers, cases[i].trailers);
		assert_int_equal(end.rest, cases[i].rest);
	}
}

static void a_beginning_is_not_an_end(void **state)
{
	static const char text[] = "5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char part[sizeof(text)] = "";

		memcpy(part, text, len);
		assert_int_equal(play_all(part).result, PARSE_MORE);
	}
}

static void what_may_be_read_in_two_ways_is_refused(void **state)
{
	static const char *const bad[] = {
		"\r\n0\r\n\r\n",
		"x\r\n",
		"-1\r\n",
		"+1\r\nx\r\n",
		"0x1\r\nx\r\n",
		" 1\r\nx\r\n",
		"1 \r\nx\r\n",
		"1\t\r\nx\r\n",
		"1\nx\r\n",
		"1\rx\r\n",
		"1\r\nx\n0\r\n\r\n",
		"1\r\nxy\r\n0\r\n\r\n",
		"1\r\nx\r0\r\n\r\n",
		"1\r\nx0\r\n\r\n",
		"1;a\nb\r\nx\r\n",
		"1;a\rb\r\nx\r\n",
		"1;\x01\r\nx\r\n",
		"1;\x7f\r\nx\r\n",
		"0000000000000001\r\nx\r\n",
		"ffffffffffffffff\r\n",
		"10000000000000000\r\n",
		"1,1\r\nx\r\n",
		"0\r\nA b\r\n\r\n",
		"0\r\nA : b\r\n\r\n",
		"0\r\nA: b\r\n c\r\n\r\n",
		"0\r\nA: b\n\r\n",
		"0\r\n\n",
		"0\r\nA: \x01\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(play_all(bad[i]).result, PARSE_BAD);
}

static void extensions_and_trailers_are_bounded(void **state)
{
	static const char *const heads[] = {"1;", "1 ", "0\r\nA: "};

	(void)state;
	for (size_t i = 0; i < COUNT(heads); i++) {
		struct http_chunked chunked = {0};
		enum parse result = PARSE_MORE;
		size_t consumed, payload, sum = 0;
		uint8_t bytes[100];

		memcpy(bytes, heads[i], strlen(heads[i]));
		assert_int_equal(
			http_chunked_take(&chunked, bytes, strlen(heads[i]), &consumed, &payload),
			PARSE_MORE);
		for (; result == PARSE_MORE && sum <= HTTP_TRAILERS_MAX; sum += consumed) {
			memset(bytes, i == 1 ? ' ' : 'a', sizeof(bytes));
			result = http_chunked_take(&chunked, bytes, sizeof(bytes), &consumed,
						   &payload);
			assert_int_equal(payload, 0);
		}
		assert_int_equal(result, PARSE_BAD);
		http_chunked_free(&chunked);
	}
}

/* Lines of a trailer section, then its end. */
static enum parse play_lines(const char *line, size_t count)
{
	static uint8_t text[HTTP_TRAILERS_MAX];
	struct http_chunked chunked = {0};
	size_t len = (size_t)sprintf((char *)text, "0\r\n"), consumed, payload;
	enum parse result;

	for (size_t i = 0; i < count; i++)
		len += (size_t)sprintf((char *)text + len, "%s\r\n", line);
	len += (size_t)sprintf((char *)text + len, "\r\n");
	result = http_chunked_take(&chunked, text, len, &consumed, &payload);
	http_chunked_free(&chunked);
	return result;
}

/* As of a head's. */
static void fields_of_trailers_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(play_lines("a:", 256), PARSE_DONE);
	assert_int_equal(play_lines("a:", 257), PARSE_BAD);
	assert_int_equal(play_lines("a:", 2000), PARSE_BAD);
	assert_int_equal(play_lines("Connection: a, b", 128), PARSE_DONE);
	assert_int_equal(play_lines("Connection: a, b", 129), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_coding_is_taken_off),
		cmocka_unit_test(a_beginning_is_not_an_end),
		cmocka_unit_test(what_may_be_read_in_two_ways_is_refused),
		cmocka_unit_test(extensions_and_trailers_are_bounded),
		cmocka_unit_test(fields_of_trailers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
