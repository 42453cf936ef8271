/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c: levels, prefixes, the length limit, control characters, whole lines from many threads. */
#include "../config/config_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

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
	/* But who listens again is told what is missing. */
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	log_error("heard");
	log_restore(fd, saved);
	assert_int_equal(closed, ENOTTY);
	assert_string_equal(fixture_log,
			    "error: written\n"
			    "warning: 1 lines of this log were dropped: nobody read them\n"
			    "error: heard\n");
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

/* A pipe that nobody reads: whoever logs goes on, and who reads at last hears what is missing. */
static void test_nobody_reads(void **state)
{
	static char text[2 << 20];
	const uint64_t before = log_dropped();
	const int saved = dup(STDERR_FILENO);
	int ends[2];
	ssize_t len;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	for (int i = 0; i < 1000; i++)
		log_info("%0*d", 999, i);
	assert_true(log_dropped() > before);
	assert_true(log_dropped() < before + 1000);
	len = read(ends[0], text, sizeof(text) - 1);
	assert_int_equal(len, (1000 - (log_dropped() - before)) * 1000);
	log_info("read again");
	len = read(ends[0], text, sizeof(text) - 1);
	assert_true(len > 0);
	text[len] = '\0';
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	snprintf(text + len + 1, 200,
		 "warning: %" PRIu64
		 " lines of this log were dropped: nobody read them\nread again\n",
		 log_dropped() - before);
	assert_string_equal(text, text + len + 1);
}

static void *wait_for_line(void *context)
{
	log_info("from another thread");
	return context;
}

/* Of two threads at a full pipe neither waits. */
static void test_two_threads_go_on(void **state)
{
	static char text[1 << 20];
	const uint64_t before = log_dropped();
	const int saved = dup(STDERR_FILENO);
	pthread_t thread;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	while (log_dropped() == before)
		log_info("%0*d", 999, 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_line, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(log_dropped() >= before + 2);
	assert_true(read(ends[0], text, sizeof(text)) > 0);
	log_info("this makes up for it");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

/* A service says the time in a file, and a priority to the journal. */
static void test_service(void **state)
{
	char stream[64];
	struct stat file;
	struct tm when = {0};
	int saved;
	int fd = log_capture(&saved);

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &file), 0);
	log_begin_service();
	log_warning("timed");
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)file.st_dev, (uintmax_t)file.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_begin_service();
	log_warning("w");
	log_info("i");
	unsetenv("JOURNAL_STREAM");
	log_restore(fd, saved);
	assert_non_null(strptime(fixture_log, "%Y-%m-%d %H:%M:%S", &when));
	assert_true(llabs((long long)(mktime(&when) - time(NULL))) <= 7200);
	assert_string_equal(strchr(strchr(fixture_log, ' ') + 1, ' '),
			    " warning: timed\n<4>warning: w\n<6>i\n");
}

static void test_collected(void **state)
{
	int saved;
	int fd = log_capture(&saved);
	char said[32];

	(void)state;
	log_collect(said, sizeof(said));
	assert_string_equal(said, "");
	log_info("i");
	log_error("e\n%d", 1);
	log_warning("w");
	assert_string_equal(said, "e?1; warning: w");
	log_error("a line that is longer than there is room");
	assert_int_equal(strlen(said), sizeof(said) - 1);
	log_error("another");
	log_collect(NULL, 0);
	log_error("not for it");
	assert_int_equal(strlen(said), sizeof(said) - 1);
	/* Also what the log leaves out. */
	log_set_level(LOG_LEVEL_ERROR);
	log_collect(said, sizeof(said));
	log_warning("quiet");
	log_info("i");
	log_collect(NULL, 0);
	log_warning("quiet, too");
	log_set_level(LOG_LEVEL_INFO);
	assert_string_equal(said, "warning: quiet");
	log_restore(fd, saved);
	assert_non_null(strstr(fixture_log, "error: not for it\n"));
	assert_null(strstr(fixture_log, "quiet"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_two_threads_go_on),
		cmocka_unit_test(test_collected),
		cmocka_unit_test(test_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
