/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of what the kernel refuses. */
#include "accel/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

/* A burst used up what memory was ready: later there is more. Nothing else changes by waiting. */
static void a_hash_map(void **state)
{
	static const int errors[] = {ENOSPC, E2BIG, EPERM, EINVAL};

	(void)state;
	errno = ENOMEM;
	assert_int_equal(refusal_of_hash(), -EAGAIN);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		errno = errors[i];
		assert_int_equal(refusal_of_hash(), -errors[i]);
	}
}

static const char *note(const char *what, int err)
{
	static struct feature_state feature;

	feature = (struct feature_state){.available = true};
	refusal_note(&feature, what, err);
	assert_false(feature.available);
	return feature.reason;
}

static void a_reason(void **state)
{
	(void)state;
	assert_string_equal(note("not tried", 0), "not tried");
	assert_string_equal(note("maps", -ENOMEM), "maps: Cannot allocate memory");
	assert_non_null(strstr(note("maps", -EPERM), "needs root"));
	assert_non_null(strstr(note("maps", -EFAULT), "CAP_PERFMON"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_map),
		cmocka_unit_test(a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
