/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/standard_fds.h"

static bool is_null(int fd)
{
	struct stat null;
	struct stat its;

	return stat("/dev/null", &null) == 0 && fstat(fd, &its) == 0 && its.st_rdev == null.st_rdev;
}

/* Bit n of closed: descriptor n. Nonzero when something is wrong. */
static int try_without(int closed)
{
	int next;

	for (int fd = 0; fd <= 2; fd++)
		if (closed & 1 << fd)
			close(fd);
	standard_fds_open();
	for (int fd = 0; fd <= 2; fd++)
		if (closed & 1 << fd && !is_null(fd))
			return 1;
	next = dup(0);
	return next <= 2;
}

static void what_is_closed_is_dev_null(void **state)
{
	(void)state;
	for (int closed = 0; closed < 8; closed++) {
		const pid_t child = fork();
		int status = -1;

		if (child == 0)
			_exit(try_without(closed));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_closed_is_dev_null)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
