/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the build has compressed: whole, or not at all. */
#include "base/packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* printf 'a link, a link, a link\n' | gzip -9n */
static const unsigned char packed[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b,
	0x54, 0xc8, 0xc9, 0xcc, 0xcb, 0xd6, 0x51, 0x48, 0x44, 0xa1, 0xb9,
	0x00, 0xf9, 0x78, 0x81, 0x19, 0x17, 0x00, 0x00, 0x00,
};
static const char text[] = "a link, a link, a link\n";

static void comes_out_as_it_was(void **state)
{
	size_t size;
	char *out = packed_open(packed, sizeof(packed), &size);

	(void)state;
	assert_non_null(out);
	assert_int_equal(size, sizeof(text) - 1);
	assert_string_equal(out, text);
	free(out);
}

static void is_cut(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(packed); len++) {
		unsigned char *part = malloc(len + 1);
		size_t size;

		assert_non_null(part);
		memcpy(part, packed, len);
		/* What stands for the length, so that there is memory for it. */
		if (len >= 4)
			memcpy(part + len - 4, packed + sizeof(packed) - 4, 4);
		assert_null(packed_open(part, len, &size));
		free(part);
	}
}

static void is_damaged(void **state)
{
	(void)state;
	/* Behind the head, of which only a part is looked at. */
	for (size_t i = 10; i < sizeof(packed); i++) {
		unsigned char damaged[sizeof(packed)];
		size_t size;

		memcpy(damaged, packed, sizeof(packed));
		damaged[i] ^= 1;
		assert_null(packed_open(damaged, sizeof(damaged), &size));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_out_as_it_was),
		cmocka_unit_test(is_cut),
		cmocka_unit_test(is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
