/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name of the server in a ClientHello or a request, cut at every byte, and in what is neither.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/server_name.h"

#define MESSAGE_MAX 2048

struct message {
	uint8_t bytes[MESSAGE_MAX];
	size_t len;
};

static void put(struct message *message, const void *bytes, size_t len)
{
	assert_true(message->len + len <= MESSAGE_MAX);
	memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

static void put_number(struct message *message, size_t number, int bytes)
{
	while (bytes-- > 0) {
		uint8_t byte = (uint8_t)(number >> 8 * bytes);

		put(message, &byte, 1);
	}
}

/* RFC 8446 section 4.1.2; name NULL: without server_name. */
static struct message hello_of(const char *name)
{
	static const uint8_t filler[600];
	struct message extensions = {.len = 0};
	struct message body = {.len = 0};
	struct message hello = {.len = 0};

	/* One of unknown type, of the size of a post-quantum key share, comes first. */
	put_number(&extensions, 0x0a0a, 2);
	put_number(&extensions, sizeof(filler), 2);
	put(&extensions, filler, sizeof(filler));
	if (name) {
		put_number(&extensions, 0, 2);
		put_number(&extensions, strlen(name) + 5, 2);
		put_number(&extensions, strlen(name) + 3, 2);
		put_number(&extensions, 0, 1);
		put_number(&extensions, strlen(name), 2);
		put(&extensions, name, strlen(name));
	}
	put_number(&body, 0x0303, 2);
	put(&body, filler, 32);
	put_number(&body, 32, 1);
	put(&body, filler, 32);
	put_number(&body, 4, 2);
	put(&body, "\x13\x01\x13\x02", 4);
	put_number(&body, 1, 1);
	put_number(&body, 0, 1);
	put_number(&body, extensions.len, 2);
	put(&body, extensions.bytes, extensions.len);
	put_number(&hello, 1, 1);
	put_number(&hello, body.len, 3);
	put(&hello, body.bytes, body.len);
	return hello;
}

/* In records of so many bytes. */
static struct message records_of(const struct message *hello, size_t size)
{
	struct message records = {.len = 0};

	for (size_t at = 0; at < hello->len; at += size) {
		size_t part = hello->len - at < size ? hello->len - at : size;

		put_number(&records, 22, 1);
		put_number(&records, 0x0301, 2);
		put_number(&records, part, 2);
		put(&records, hello->bytes + at, part);
	}
	return records;
}

static enum parse sniff(const void *bytes, size_t len, char name[HOST_NAME_MAX_BYTES + 1])
{
	/* Exactly as long, so that a sanitizer sees a read beyond it. */
	uint8_t *copy = malloc(len ? len : 1);
	enum parse result;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	result = server_name_name(copy, len, name);
	free(copy);
	return result;
}

/* The name from some byte on, and never anything else but PARSE_MORE before. */
static void assert_found(const void *bytes, size_t len, const char *expected)
{
	bool found = false;

	for (size_t cut = 0; cut <= len; cut++) {
		char name[HOST_NAME_MAX_BYTES + 1];
		enum parse result = sniff(bytes, cut, name);

		if (result != PARSE_DONE && (found || result != PARSE_MORE))
			fail_msg("%zu of %zu bytes: %d", cut, len, (int)result);
		if (result == PARSE_DONE)
			assert_string_equal(name, expected);
		found = result == PARSE_DONE;
	}
	assert_true(found);
}

static void a_client_hello_names_its_server(void **state)
{
	static const size_t sizes[] = {MESSAGE_MAX, 400, 100, 7};
	struct message hello = hello_of("www.example.org");

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct message records = records_of(&hello, sizes[i]);

		assert_found(records.bytes, records.len, "www.example.org");
	}
}

static void assert_none(const void *bytes, size_t len)
{
	char name[HOST_NAME_MAX_BYTES + 1];

	assert_int_equal(sniff(bytes, len, name), PARSE_BAD);
}

static void a_client_hello_without_a_name_has_none(void **state)
{
	static const char *const names[] = {NULL, "", "192.0.2.1", "a b", "a/b"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct message hello = hello_of(names[i]);
		struct message records = records_of(&hello, MESSAGE_MAX);

		assert_none(records.bytes, records.len);
	}
}

/* Whatever byte is wrong, nothing is read beyond the end. */
static void a_broken_client_hello_is_survived(void **state)
{
	struct message hello = hello_of("www.example.org");
	struct message records = records_of(&hello, 100);

	(void)state;
	for (size_t i = 0; i < records.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			char name[HOST_NAME_MAX_BYTES + 1];

			records.bytes[i] ^= (uint8_t)(1 << bit);
			(void)sniff(records.bytes, records.len, name);
			records.bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
}

static void a_request_names_its_server(void **state)
{
	static const struct {
		const char *text;
		const char *name;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: example.org\r\n", "example.org"},
		{"POST /a?b HTTP/1.0\r\nAccept: */*\r\nhOST:example.org:8080\r\n", "example.org"},
		{"M-SEARCH * HTTP/1.1\nHOST: \t example.org \n", "example.org"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_found(cases[i].text, strlen(cases[i].text), cases[i].name);
}

static void other_bytes_have_no_name(void **state)
{
	static const char *const texts[] = {
		"GET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n",
		"GET / HTTP/1.1\r\nHost: [::1]:80\r\n",
		"GET / HTTP/1.1\r\nHost:\r\n",
		"GET / HTTP/1.1\r\n\r\nHost: example.org\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"EHLO client.test\r\n",
		"HTTP/1.1\r\nHost: example.org\r\n",
		"\x05\x01",
		"get / HTTP/1.1\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_none(texts[i], strlen(texts[i]));
	/* A TLS record of another version, and one with another message. */
	assert_none("\x16\x02\x01\x00\x05\x01", 6);
	assert_none("\x16\x03\x01\x00\x05\x02", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_hello_names_its_server),
		cmocka_unit_test(a_client_hello_without_a_name_has_none),
		cmocka_unit_test(a_broken_client_hello_is_survived),
		cmocka_unit_test(a_request_names_its_server),
		cmocka_unit_test(other_bytes_have_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
