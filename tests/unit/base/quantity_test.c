/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers with units: what each is worth, and what is no number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/quantity.h"

static void test_worth(void **state)
{
	static const struct {
		const char *text;
		const struct unit *units;
		uint64_t worth;
	} cases[] = {
		{"0", quantity_plain, 0},
		{"007", quantity_plain, 7},
		{"18446744073709551615", quantity_plain, UINT64_MAX},
		{"64000", quantity_powers, 64000},
		{"3K", quantity_powers, 3000},
		{"20G", quantity_powers, 20000000000},
		{"18446744T", quantity_powers, 18446744000000000000ULL},
		{"7us", quantity_times_us, 7},
		{"4ms", quantity_times_us, 4000},
		{"90s", quantity_times_us, 90000000},
		{"15m", quantity_times_us, 900000000},
		{"1h", quantity_times_us, 3600000000},
		{"7d", quantity_times_us, 604800000000},
	};
	uint64_t worth;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (!quantity_parse(cases[i].text, cases[i].units, 1, 0, UINT64_MAX, &worth))
			fail_msg("%s is refused", cases[i].text);
		if (worth != cases[i].worth)
			fail_msg("%s is %ju", cases[i].text, (uintmax_t)worth);
	}
	assert_true(quantity_parse("5", quantity_times_us, 1000, 0, UINT64_MAX, &worth));
	assert_int_equal(worth, 5000);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"K",
		"1k",
		"1KB",
		"1 K",
		"+1",
		"-1",
		"0x10",
		"1.5M",
		"1G20",
		"18446744073709551616",
		"18446745T",
	};
	uint64_t worth;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (quantity_parse(texts[i], quantity_powers, 1, 0, UINT64_MAX, &worth))
			fail_msg("\"%s\" is %ju", texts[i], (uintmax_t)worth);
	assert_false(quantity_parse("1h", quantity_powers, 1, 0, UINT64_MAX, &worth));
	assert_false(quantity_parse("1K", quantity_plain, 1, 0, UINT64_MAX, &worth));
	assert_false(quantity_parse("4", quantity_plain, 1, 5, 6, &worth));
	assert_false(quantity_parse("7", quantity_plain, 1, 5, 6, &worth));
	assert_true(quantity_parse("6", quantity_plain, 1, 5, 6, &worth));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worth),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
