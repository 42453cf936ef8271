/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What browsers and others say of codings. */
#include "web/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void weights(void **state)
{
	static const struct {
		const char *list;
		double is_it, others;
	} cases[] = {
		{NULL, 0, 0},
		{"", 0, 0},
		{"gzip, deflate, br, zstd", 1, 1},
		{"GZip", 1, 0},
		{"identity", 0, 1},
		{"gzip;q=0, identity", 0, 1},
		{"br;q=0.9 ,\tgzip ; q=0.5", 0.5, 0.9},
		{"gzip;q=0.2,gzip;q=0.8", 0.8, 0},
		{"xgzip, gzipx, gzip-2", 0, 1},
		{",,;;,=,q=,;q", 0, 1},
		{" ,, ;q=1", 0, 0},
		{",gzip;q=0.5", 0.5, 0},
		{"gzip;q=inf, br;q=16", 1, 1},
		{"gzip;q=nan, br;q=-1", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(accept_weight(cases[i].list, "gzip", true) == cases[i].is_it);
		assert_true(accept_weight(cases[i].list, "gzip", false) == cases[i].others);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
