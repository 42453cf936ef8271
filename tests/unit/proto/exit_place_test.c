/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an exit is, as text and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/exit_place.h"

static void hosts(void **state)
{
	static const struct {
		const char *text;
		const char *with_port; /* NULL: it is none */
		const char *without;
	} cases[] = {
		{"vps.example.org", "vps.example.org:1080", "vps.example.org"},
		{"192.0.2.1", "192.0.2.1:1080", "192.0.2.1"},
		{"[2001:db8::1]", "[2001:db8::1]:1080", "2001:db8::1"},
		{"192.0.2.1,2001:db8::1", "192.0.2.1,[2001:db8::1]:1080", "192.0.2.1,2001:db8::1"},
		{"[2001:db8::1],  192.0.2.1", "[2001:db8::1],192.0.2.1:1080",
		 "2001:db8::1,192.0.2.1"},
		{"192.0.2.1,192.0.2.2", NULL, NULL},
		{"2001:db8::1,2001:db8::2", NULL, NULL},
		{"192.0.2.1,vps", NULL, NULL},
		{"vps,2001:db8::1", NULL, NULL},
		{"192.0.2.1,", NULL, NULL},
		{"192.0.2.1, ", NULL, NULL},
		{",2001:db8::1", NULL, NULL},
		{"", NULL, NULL},
		{"192.0.2.1 2001:db8::1", NULL, NULL},
	};
	struct exit_place place;
	struct exit_place again;
	char text[EXIT_PLACE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const int err =
			exit_place_from_host(&place, cases[i].text, strlen(cases[i].text), 1080);

		assert_int_equal(err == 0, cases[i].with_port != NULL);
		if (err)
			continue;
		assert_string_equal(exit_place_format_host(&place, text), cases[i].without);
		assert_string_equal(exit_place_format(&place, text), cases[i].with_port);
		assert_int_equal(exit_place_parse(text, &again), 0);
		assert_memory_equal(&again, &place, sizeof(place));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
