/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Versions as distributions write them, and which have a fix. */
#include "net/kernel_version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_version(const char *release, const char *version, const char *signature,
			   const char *expected)
{
	char text[KERNEL_VERSION_TEXT_MAX];

	assert_string_equal(
		kernel_version_format(kernel_version_parse(release, version, signature), text),
		expected);
}

static void as_distributions_write_them(void **state)
{
	(void)state;
	assert_version("6.1.0-54-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-02)", "",
		       "6.1.190");
	assert_version("6.12.95+deb13-amd64",
		       "#1 SMP PREEMPT_DYNAMIC Debian 6.12.95-1 (2026-10-20)", "", "6.12.95");
	assert_version("6.8.0-45-generic", "#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC",
		       "Ubuntu 6.8.0-45.45-generic 6.8.12", "6.8.12");
	assert_version("6.12.71", "#0 SMP Mon Feb 16 2026", "", "6.12.71"); /* OpenWrt */
	assert_version("6.18.44", "#1 SMP PREEMPT_DYNAMIC", "", "6.18.44");
	assert_version("7.3.4-arch1-1", "#1 SMP PREEMPT_DYNAMIC", "", "7.3.4");
	assert_version("7.0-rc3", "#1 SMP", "", "7.0.0");
	/* Debian's own trees keep "Debian" for other things, too. */
	assert_version("5.10.0-32-amd64", "#1 SMP Debian 5.10.223-1 (2024-08-10)", "", "5.10.223");
	assert_version("6.6.30", "#1 SMP Debian unstable", "", "6.6.30");
	assert_version("6.6.30", "#1 SMP", "Ubuntu something", "6.6.30");
	assert_version("strange", "", "", "0.0.0");
}

static void which_have_a_fix(void **state)
{
	static const struct kernel_version fixed[] = {
		{6, 1, 142}, {6, 6, 94}, {6, 15, 3}, {6, 16, 0}};
	static const struct {
		struct kernel_version kernel;
		bool has;
	} cases[] = {
		{{6, 1, 141}, false}, {{6, 1, 142}, true}, {{6, 1, 190}, true},
		{{6, 6, 93}, false},  {{6, 6, 94}, true},  {{6, 12, 95}, false},
		{{6, 15, 2}, false},  {{6, 15, 3}, true},  {{6, 16, 0}, true},
		{{6, 17, 0}, true},   {{7, 0, 0}, true},   {{5, 15, 200}, false},
		{{0, 0, 0}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(kernel_version_has(cases[i].kernel, fixed,
						    sizeof(fixed) / sizeof(fixed[0])),
				 cases[i].has);
}

static void of_this_kernel(void **state)
{
	(void)state;
	assert_true(kernel_version_get().major >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_distributions_write_them),
		cmocka_unit_test(which_have_a_fix),
		cmocka_unit_test(of_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
