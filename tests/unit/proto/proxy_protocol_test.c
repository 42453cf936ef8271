/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PROXY protocol's header, byte by byte as its specification has it. */
#include "proto/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define PORTS	  "\xdc\x04\x01\xbb" /* 56324, 443 */
#define HEADER4	  SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02" PORTS
#define IP6_A	  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define IP6_B	  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define MAPPED_A  "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01"
#define MAPPED_B  "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x02"
#define HEADER6	  SIGNATURE "\x21\x21\0\x24" IP6_A IP6_B PORTS
#define HEADER46  SIGNATURE "\x21\x21\0\x24" MAPPED_A IP6_B PORTS
#define HEADER64  SIGNATURE "\x21\x21\0\x24" IP6_A MAPPED_B PORTS

struct vector {
	const char *bytes;
	size_t len;
	const char *source; /* "-": that of the connection; NULL: refused */
	const char *destination;
};

#define VECTOR(bytes, ...)                                                                         \
	{                                                                                          \
		bytes, sizeof(bytes) - 1, __VA_ARGS__                                              \
	}

static const struct vector vectors[] = {
	VECTOR(HEADER4, "192.0.2.1:56324", "198.51.100.2:443"),
	VECTOR(HEADER6, "[2001:db8::1]:56324", "[2001:db8::2]:443"),
	/* A TLV: PP2_TYPE_NOOP, 3 bytes. */
	VECTOR(SIGNATURE "\x21\x11\0\x12\xc0\0\x02\x01\xc6\x33\x64\x02" PORTS "\x04\0\x03"
			 "abc",
	       "192.0.2.1:56324", "198.51.100.2:443"),
	/* v4-mapped, both or one. */
	VECTOR(SIGNATURE "\x21\x21\0\x24" MAPPED_A MAPPED_B PORTS, "192.0.2.1:56324",
	       "198.51.100.2:443"),
	VECTOR(HEADER46, "192.0.2.1:56324", "[2001:db8::2]:443"),
	VECTOR(HEADER64, "[2001:db8::1]:56324", "198.51.100.2:443"),
	/* LOCAL, also with addresses, which mean nothing; UNSPEC. */
	VECTOR(SIGNATURE "\x20\0\0\0", "-", "-"),
	VECTOR(SIGNATURE "\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02" PORTS, "-", "-"),
	VECTOR(SIGNATURE "\x20\xff\0\x01x", "-", "-"),
	VECTOR(SIGNATURE "\x21\0\0\0", "-", "-"),
	/* Version 1, its text; version 3; a command; UDP; unix; too short; too long. */
	VECTOR("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", NULL, NULL),
	VECTOR("\x05\x01\0", NULL, NULL),
	VECTOR(SIGNATURE "\x31\x11\0\x0c", NULL, NULL),
	VECTOR(SIGNATURE "\x11\x11\0\x0c", NULL, NULL),
	VECTOR(SIGNATURE "\x22\x11\0\x0c", NULL, NULL),
	VECTOR(SIGNATURE "\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02" PORTS, NULL, NULL),
	VECTOR(SIGNATURE "\x21\x31\0\0", NULL, NULL),
	VECTOR(SIGNATURE "\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01", NULL, NULL),
	VECTOR(SIGNATURE "\x21\x21\0\0", NULL, NULL),
	VECTOR(SIGNATURE "\x21\x11\x0f\xf1", NULL, NULL),
	VECTOR(SIGNATURE "\x20\0\xff\xff", NULL, NULL),
};

/* From a buffer of just that size, for the sanitizer. */
static enum parse parse_first(const struct vector *vector, size_t len, struct proxy_protocol *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum parse result;

	assert_non_null(copy);
	memcpy(copy, vector->bytes, len);
	result = proxy_protocol_parse(copy, len, out);
	free(copy);
	return result;
}

static void reads_vectors(void **state)
{
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		const struct vector *vector = &vectors[i];
		struct proxy_protocol header;
		enum parse result = parse_first(vector, vector->len, &header);

		if (!vector->source) {
			assert_int_equal(result, PARSE_BAD);
			assert_non_null(header.problem);
			continue;
		}
		assert_int_equal(result, PARSE_DONE);
		assert_string_equal(address_format(&header.source, text), vector->source);
		assert_string_equal(address_format(&header.destination, text), vector->destination);
	}
}

static void asks_for_no_byte_too_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		const struct vector *vector = &vectors[i];

		for (size_t len = 0; vector->source && len < vector->len; len++) {
			struct proxy_protocol header;

			assert_int_equal(parse_first(vector, len, &header), PARSE_MORE);
			assert_int_equal(header.need, len < 16 ? 16 : vector->len);
		}
	}
}

static void assert_writes(const char *source, const char *destination, const char *expected,
			  size_t expected_len)
{
	uint8_t out[PROXY_PROTOCOL_OUT_MAX];
	union address from = {0};
	union address to = {0};

	if (source)
		assert_int_equal(address_parse(source, &from), 0);
	assert_int_equal(address_parse(destination, &to), 0);
	assert_int_equal(proxy_protocol_write(out, &from, &to), expected_len);
	assert_memory_equal(out, expected, expected_len);
}

static void writes(void **state)
{
	(void)state;
	assert_writes("192.0.2.1:56324", "198.51.100.2:443", HEADER4, sizeof(HEADER4) - 1);
	assert_writes("[2001:db8::1]:56324", "[2001:db8::2]:443", HEADER6, sizeof(HEADER6) - 1);
	assert_writes(NULL, "192.0.2.1:1", SIGNATURE "\x21\0\0\0", 16);
	assert_writes("192.0.2.1:56324", "[2001:db8::2]:443", HEADER46, sizeof(HEADER46) - 1);
	assert_writes("[2001:db8::1]:56324", "198.51.100.2:443", HEADER64, sizeof(HEADER64) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_vectors),
		cmocka_unit_test(asks_for_no_byte_too_many),
		cmocka_unit_test(writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
