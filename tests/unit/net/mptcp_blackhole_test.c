/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's pause of MPTCP, by its counter. The linker puts __wrap_fopen64 in place of fopen(),
 * which is called fopen64 where files may be large, so that tests write what is read. */
#include "net/mptcp_blackhole.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *counters; /* NULL: no such file */

FILE *__wrap_fopen64(const char *path, const char *mode);

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	assert_string_equal(path, "/proc/thread-self/net/netstat");
	assert_string_equal(mode, "re");
	errno = ENOENT;
	return counters ? fmemopen((void *)counters, strlen(counters), "r") : NULL;
}

#define COUNTERS(disabled)                                                                         \
	"TcpExt: SyncookiesSent MPCapableSYNTXDisabled\nTcpExt: 7 8\n"                             \
	"MPTcpExt: MPCapableSYNRX MPCapableSYNTXDisabled MPCapableEndpAttempt\n"                   \
	"MPTcpExt: 3 " disabled " 5\n"

static void a_rise_holds_for_150_s(void **state)
{
	struct mptcp_blackhole pause;

	(void)state;
	counters = COUNTERS("18446744073709551614");
	mptcp_blackhole_init(&pause);
	assert_false(mptcp_blackhole_likely(&pause, 1000));
	counters = COUNTERS("18446744073709551615");
	assert_true(mptcp_blackhole_likely(&pause, 1001));
	assert_true(mptcp_blackhole_likely(&pause, 1150.9));
	assert_false(mptcp_blackhole_likely(&pause, 1151));
	/* Another rise begins another time. */
	counters = COUNTERS("0");
	assert_true(mptcp_blackhole_likely(&pause, 1152));
	counters = COUNTERS("1");
	assert_true(mptcp_blackhole_likely(&pause, 1200));
	assert_true(mptcp_blackhole_likely(&pause, 1349));
	assert_false(mptcp_blackhole_likely(&pause, 1350));
}

static void a_kernel_that_does_not_count_does_not_pause(void **state)
{
	static const char *const texts[] = {
		NULL,
		"",
		"TcpExt: MPCapableSYNTXDisabled\nTcpExt: 1\n",
		"MPTcpExt: MPCapableSYNRX\nMPTcpExt: 1\n",
		"MPTcpExt: MPCapableSYNRX MPCapableSYNTXDisabled\nMPTcpExt: 1\n",
		"MPTcpExt: MPCapableSYNRX MPCapableSYNTXDisabled\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct mptcp_blackhole pause;

		counters = texts[i];
		mptcp_blackhole_init(&pause);
		assert_int_equal(pause.held_back, 0);
		assert_false(mptcp_blackhole_likely(&pause, 1000));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rise_holds_for_150_s),
		cmocka_unit_test(a_kernel_that_does_not_count_does_not_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
