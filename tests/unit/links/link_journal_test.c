/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record that a killed hawserd leaves: written, read again, locked, and read when half of an
 * older, longer text is still there. */
#include "links/link_journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];

uid_t __wrap_geteuid(void);

/* With which the record is in $XDG_RUNTIME_DIR. */
uid_t __wrap_geteuid(void)
{
	return 4711;
}

static int setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/hawser-record-XXXXXX");
	assert_non_null(mkdtemp(directory));
	return setenv("XDG_RUNTIME_DIR", directory, 1);
}

static int teardown(void **state)
{
	char inner[96];

	(void)state;
	snprintf(inner, sizeof(inner), "%s/hawser", directory);
	/* Fails unless the record is gone. */
	return rmdir(inner) || rmdir(directory);
}

static union address ip(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix.base;
}

/* The only file in the directory. */
static void record_file(char out[400])
{
	char inner[96];
	struct dirent *entry;
	DIR *dir;

	snprintf(inner, sizeof(inner), "%s/hawser", directory);
	dir = opendir(inner);
	assert_non_null(dir);
	out[0] = '\0';
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			snprintf(out, 400, "%s/%s", inner, entry->d_name);
	closedir(dir);
}

static void written_and_read(void **state)
{
	struct link_journal_data data = {.has_limits = true,
					 .before = {2, 0},
					 .raised = {8, 7},
					 .endpoint_count = 2,
					 .endpoints = {ip("192.0.2.1"), ip("2001:db8::1")},
					 .portal_count = 1,
					 .portals = {ip("192.0.2.7")}};
	struct link_journal_data read;
	struct link_journal *record = link_journal_open(&read);
	struct stat status;
	char path[400];

	(void)state;
	assert_non_null(record);
	assert_false(read.has_limits);
	assert_int_equal(read.endpoint_count, 0);
	assert_int_equal(link_journal_write(record, &data), 0);
	record_file(path);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	link_journal_close(record, false);
	assert_true(link_journal_left());

	record = link_journal_open(&read);
	assert_non_null(record);
	assert_true(read.has_limits);
	assert_int_equal(read.before.subflows, 2);
	assert_int_equal(read.before.add_addr_accepted, 0);
	assert_int_equal(read.raised.subflows, 8);
	assert_int_equal(read.raised.add_addr_accepted, 7);
	assert_int_equal(read.endpoint_count, 2);
	assert_true(address_same_ip(&read.endpoints[0], &data.endpoints[0]));
	assert_true(address_same_ip(&read.endpoints[1], &data.endpoints[1]));
	assert_int_equal(read.portal_count, 1);
	assert_true(address_same_ip(&read.portals[0], &data.portals[0]));

	data = (struct link_journal_data){0};
	assert_int_equal(link_journal_write(record, &data), 0);
	link_journal_close(record, false);
	record = link_journal_open(&read);
	assert_false(read.has_limits);
	assert_int_equal(read.endpoint_count, 0);
	link_journal_close(record, true);
	assert_false(link_journal_left());
}

static void as_many_as_there_may_be(void **state)
{
	struct link_journal_data data = {.has_limits = true,
					 .endpoint_count = LINK_JOURNAL_ENDPOINTS_MAX};
	struct link_journal_data read;
	struct link_journal *record = link_journal_open(&read);

	(void)state;
	data.before.subflows = data.raised.subflows = UINT32_MAX;
	for (size_t i = 0; i < data.endpoint_count; i++)
		data.endpoints[i] = ip("2001:db8:1111:2222:3333:4444:5555:6666");
	assert_int_equal(link_journal_write(record, &data), 0);
	link_journal_close(record, false);
	record = link_journal_open(&read);
	assert_int_equal(read.endpoint_count, data.endpoint_count);
	assert_true(address_same_ip(&read.endpoints[data.endpoint_count - 1], &data.endpoints[0]));
	link_journal_close(record, true);
}

static void held_by_one(void **state)
{
	struct link_journal_data data;
	struct link_journal *record = link_journal_open(&data);

	(void)state;
	assert_non_null(record);
	assert_null(link_journal_open(&data));
	assert_int_equal(errno, EWOULDBLOCK);
	link_journal_close(record, true);
	record = link_journal_open(&data);
	assert_non_null(record);
	link_journal_close(record, true);
}

/* As where /run is full. */
static void a_write_that_fails_is_no_write(void **state)
{
	const struct link_journal_data data = {.portal_count = 1, .portals = {ip("192.0.2.7")}};
	struct link_journal_data read;
	struct link_journal *record = link_journal_open(&read);
	struct rlimit before, few;
	int err;

	(void)state;
	assert_non_null(record);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	few = (struct rlimit){.rlim_cur = 10, .rlim_max = before.rlim_max};
	setrlimit(RLIMIT_FSIZE, &few);
	errno = 0;
	err = link_journal_write(record, &data);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(err, -ENOSPC);
	assert_true(link_journal_is_behind(record));
	assert_int_equal(link_journal_write(record, &data), 0);
	assert_false(link_journal_is_behind(record));
	link_journal_close(record, false);
	record = link_journal_open(&read);
	assert_int_equal(read.portal_count, 1);
	link_journal_close(record, true);
}

static void garbage(void **state)
{
	static const char *const texts[] = {
		"endpoint 192.0.2.1\nend\nendpoint 192.0.2.2\nlimits 1 2 3 4\n",
		"endpoint\nendpoint x\nlimits 1 2 3\nendpoint 192.0.2.1",
		"nonsense\n\nendpoint 192.0.2.1\nlimits a b c d\n",
	};
	struct link_journal_data data;
	char path[400];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct link_journal *record = link_journal_open(&data);
		int fd;

		record_file(path);
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
		close(fd);
		link_journal_close(record, false);
		record = link_journal_open(&data);
		assert_non_null(record);
		assert_int_equal(data.endpoint_count, 1);
		assert_false(data.has_limits);
		link_journal_close(record, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(written_and_read, setup, teardown),
		cmocka_unit_test_setup_teardown(as_many_as_there_may_be, setup, teardown),
		cmocka_unit_test_setup_teardown(held_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_that_fails_is_no_write, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
