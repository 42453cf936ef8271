/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is replaced without a wait: in order, at least by the last text, and told of. */
#include "base/text_saver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char one[] = "/tmp/text_saver_1.XXXXXX", two[] = "/tmp/text_saver_2.XXXXXX";
static struct ev_loop *loop;
static int told, last_err;

static void on_told(void *owner, const char *directory, int err)
{
	assert_ptr_equal(owner, one);
	assert_non_null(directory);
	told++;
	last_err = err;
}

static void assert_text(const char *directory, const char *text)
{
	char path[64], read[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/file", directory);
	file = fopen(path, "re");
	assert_non_null(file);
	(void)!fread(read, 1, sizeof(read) - 1, file);
	fclose(file);
	assert_string_equal(read, text);
}

static struct text_saver *begin(void)
{
	struct text_saver *saver = text_saver_open(loop, "file", on_told, one);

	assert_non_null(saver);
	told = 0;
	return saver;
}

static void the_last_one_is_written(void **state)
{
	struct text_saver *saver = begin();
	char text[16];

	(void)state;
	for (int i = 0; i <= 100; i++) {
		snprintf(text, sizeof(text), "%d", i);
		text_saver_put(saver, one, text);
	}
	/* Nobody is told but by the loop, which ends when nothing is left. */
	assert_int_equal(told, 0);
	ev_run(loop, 0);
	assert_text(one, "100");
	assert_int_equal(told, 2);
	assert_int_equal(last_err, 0);
	text_saver_put(saver, one, "after that");
	text_saver_flush(saver);
	assert_text(one, "after that");
	assert_int_equal(told, 3);
	text_saver_flush(saver);
	assert_int_equal(told, 3);
	text_saver_close(saver);
}

static void each_directory_has_its_last_one(void **state)
{
	struct text_saver *saver = begin();

	(void)state;
	text_saver_put(saver, one, "a");
	text_saver_put(saver, one, "b");
	text_saver_put(saver, two, "c");
	text_saver_close(saver);
	assert_text(one, "b");
	assert_text(two, "c");
	assert_int_equal(told, 3);
}

static void what_fails_is_told(void **state)
{
	struct text_saver *saver = begin();

	(void)state;
	text_saver_put(saver, "/dev/null", "a");
	ev_run(loop, 0);
	assert_int_equal(last_err, -ENOTDIR);
	text_saver_put(saver, one, "d");
	text_saver_close(saver);
	assert_int_equal(last_err, 0);
	assert_text(one, "d");
}

static int clean_up(void **state)
{
	char path[64];

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/file", i ? two : one);
		unlink(path);
		rmdir(i ? two : one);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_one_is_written),
		cmocka_unit_test(each_directory_has_its_last_one),
		cmocka_unit_test(what_fails_is_told),
	};

	if (!mkdtemp(one) || !mkdtemp(two))
		return 1;
	loop = ev_default_loop(EVFLAG_NOENV);
	return cmocka_run_group_tests(tests, NULL, clean_up);
}
