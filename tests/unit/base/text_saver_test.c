/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is replaced without a wait: in order, at least by the last text, told of, and again
 * when it failed. The linker puts __wrap_ev_timer_start in place of libev's, so that a minute is
 * over soon. */
#include "base/text_saver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char one[] = "/tmp/text_saver_1.XXXXXX", two[] = "/tmp/text_saver_2.XXXXXX";
static char obstacle[sizeof(one) + 16]; /* a file where a directory should be */
static struct ev_loop *loop;
static int told, last_err;

void __real_ev_timer_start(struct ev_loop *of, ev_timer *timer);
void __wrap_ev_timer_start(struct ev_loop *of, ev_timer *timer);

void __wrap_ev_timer_start(struct ev_loop *of, ev_timer *timer)
{
	assert_true(timer->at == 60);
	ev_timer_set(timer, 0.01, 0.);
	__real_ev_timer_start(of, timer);
}

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
	while (told == 0)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(last_err, -ENOTDIR);
	text_saver_put(saver, one, "d");
	text_saver_close(saver);
	assert_int_equal(last_err, 0);
	assert_text(one, "d");
}

/* Until it is a directory. */
static void set_obstacle(bool there)
{
	FILE *file;

	if (!there) {
		assert_int_equal(unlink(obstacle), 0);
		return;
	}
	file = fopen(obstacle, "we");
	assert_non_null(file);
	fclose(file);
}

static void forget_obstacle(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", obstacle);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(obstacle), 0);
}

static void what_failed_is_written_a_minute_later(void **state)
{
	struct text_saver *saver = begin();

	(void)state;
	set_obstacle(true);
	text_saver_put(saver, obstacle, "e");
	while (told < 3)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(last_err, -ENOTDIR);
	set_obstacle(false);
	ev_run(loop, 0);
	assert_int_equal(last_err, 0);
	assert_text(obstacle, "e");
	text_saver_close(saver);
	forget_obstacle();
}

static void or_at_the_end(void **state)
{
	struct text_saver *saver = begin();

	(void)state;
	set_obstacle(true);
	text_saver_put(saver, obstacle, "f");
	text_saver_flush(saver);
	assert_int_equal(last_err, -ENOTDIR);
	set_obstacle(false);
	text_saver_close(saver);
	assert_int_equal(told, 3);
	assert_text(obstacle, "f");
	forget_obstacle();
}

static void a_newer_text_takes_its_place(void **state)
{
	struct text_saver *saver = begin();

	(void)state;
	set_obstacle(true);
	text_saver_put(saver, obstacle, "g");
	text_saver_flush(saver);
	set_obstacle(false);
	text_saver_put(saver, obstacle, "h");
	ev_run(loop, 0);
	assert_int_equal(told, 3);
	assert_text(obstacle, "h");
	text_saver_close(saver);
	forget_obstacle();
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
		cmocka_unit_test(what_failed_is_written_a_minute_later),
		cmocka_unit_test(or_at_the_end),
		cmocka_unit_test(a_newer_text_takes_its_place),
	};

	if (!mkdtemp(one) || !mkdtemp(two))
		return 1;
	snprintf(obstacle, sizeof(obstacle), "%s/obstacle", one);
	loop = ev_default_loop(EVFLAG_NOENV);
	return cmocka_run_group_tests(tests, NULL, clean_up);
}
