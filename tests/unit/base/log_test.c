/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c: levels, prefixes, the length limit, control characters, whole lines from many threads. */
#include "../config/config_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/log.h"

#define THREADS	     8
#define THREAD_LINES 500

static void test_levels(void **state)
{
	int saved;
	int fd = log_capture(&saved);

	(void)state;
	log_error("e %d", 1);
	log_warning("w");
	log_info("i");
	log_debug("not shown");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("d");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("not shown");
	log_info("not shown");
	log_error("last");
	assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
	log_set_level(LOG_LEVEL_INFO);
	log_restore(fd, saved);
	assert_string_equal(fixture_log, "error: e 1\nwarning: w\ni\ndebug: d\nerror: last\n");
}

static void test_control_characters(void **state)
{
	int saved;
	int fd = log_capture(&saved);

	(void)state;
	log_info("%s", "a\nerror: forged\r\x1b[2J\x7f\t\xc3\xa9");
	log_restore(fd, saved);
	assert_string_equal(fixture_log, "a?error: forged??[2J??\xc3\xa9\n");
}

/* Message lengths around the limit of 1000 bytes. */
static void test_length(void **state)
{
	char message[1200];

	(void)state;
	for (size_t len = 0; len < sizeof(message); len += len < 995 || len > 1005 ? 199 : 1) {
		size_t kept = len < 1000 ? len : 1000;
		int saved;
		int fd;

		memset(message, 'x', len);
		message[len] = '\0';
		fd = log_capture(&saved);
		log_warning("%s", message);
		log_restore(fd, saved);
		assert_int_equal(strlen(fixture_log), strlen("warning: ") + kept + 1);
		assert_int_equal(strspn(fixture_log + strlen("warning: "), "x"), kept);
		assert_int_equal(fixture_log[strlen(fixture_log) - 1], '\n');
	}
}

static void test_errno(void **state)
{
	int saved;
	int fd = log_capture(&saved);
	int closed;

	(void)state;
	errno = ENOTTY;
	log_error("written");
	assert_int_equal(errno, ENOTTY);
	errno = EDOM;
	log_debug("not shown");
	assert_int_equal(errno, EDOM);
	/* Nobody can be told that standard error is gone. */
	close(STDERR_FILENO);
	errno = ENOTTY;
	log_error("lost");
	closed = errno;
	log_restore(fd, saved);
	assert_int_equal(closed, ENOTTY);
	assert_string_equal(fixture_log, "error: written\n");
}

static void *write_lines(void *context)
{
	const char *letter = context;

	for (int i = 0; i < THREAD_LINES; i++)
		log_info("%.*s", 100, letter);
	return NULL;
}

/* Every line has 100 equal letters, whichever thread wrote it. */
static void test_threads(void **state)
{
	static char letters[THREADS][101];
	pthread_t threads[THREADS];
	char line[256];
	FILE *log;
	int saved;
	int fd = log_capture(&saved);
	int copy = dup(fd);
	int count = 0;

	(void)state;
	/* The kernel does not serialise the file position of a memfd as that of a file on disk. */
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	for (int i = 0; i < THREADS; i++) {
		memset(letters[i], 'a' + i, 100);
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, letters[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	log_restore(fd, saved);
	assert_int_equal(lseek(copy, 0, SEEK_SET), 0);
	log = fdopen(copy, "r");
	assert_non_null(log);
	for (; fgets(line, sizeof(line), log); count++) {
		assert_int_equal(strlen(line), 101);
		assert_int_equal(strspn(line, (char[]){line[0], '\0'}), 100);
	}
	fclose(log);
	assert_int_equal(count, THREADS * THREAD_LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),	cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_length),	cmocka_unit_test(test_errno),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
