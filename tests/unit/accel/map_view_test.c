/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map_view.c: a view that grows shows the map's own bytes, wherever it begins; a file stands in for
 * the map. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "accel/map_view.h"

#define PAGES 40

static size_t page;
static int map_fd;

static int setup(void **state)
{
	(void)state;
	page = (size_t)sysconf(_SC_PAGESIZE);
	map_fd = memfd_create("map", MFD_CLOEXEC);
	return map_fd < 0 ? -1 : ftruncate(map_fd, (off_t)(PAGES * page));
}

static int teardown(void **state)
{
	(void)state;
	return close(map_fd);
}

static uint8_t byte_of_map(size_t at)
{
	uint8_t byte = 0;

	assert_int_equal(pread(map_fd, &byte, 1, (off_t)at), 1);
	return byte;
}

static bool is_there(const void *at)
{
	int pipe_fds[2];
	ssize_t n;

	assert_int_equal(pipe(pipe_fds), 0);
	n = write(pipe_fds[1], at, 1); /* EFAULT where nothing is mapped */
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return n == 1;
}

/* Also what cannot be read. */
static bool is_mapped(void *at)
{
	unsigned char resident;

	return !mincore((void *)((uintptr_t)at & ~(page - 1)), page, &resident);
}

static void grows_from(size_t from)
{
	const size_t bytes = 30 * page;
	struct map_view view;
	uint8_t *memory;

	assert_int_equal(map_view_reserve(&view, map_fd, from, bytes), 0);
	memory = view.memory;
	assert_false(is_there(memory));
	for (size_t at = 0; at < bytes; at += 100) {
		assert_int_equal(map_view_reach(&view, at + 1), 0);
		assert_ptr_equal(view.memory, memory);
		memory[at] = (uint8_t)(at / 100 + 1);
		if (at == 0)
			assert_false(is_there(memory + 4 * page));
	}
	for (size_t at = 0; at < bytes; at += 100) {
		assert_int_equal(memory[at], (uint8_t)(at / 100 + 1));
		assert_int_equal(byte_of_map(from + at), memory[at]);
	}
	assert_int_equal(map_view_reach(&view, bytes), 0);
	assert_int_equal(map_view_reach(&view, bytes + 2 * page), -ENOMEM);
	map_view_close(&view);
	assert_false(is_there(memory));
	map_view_close(&view);
}

static void test_grows(void **state)
{
	(void)state;
	grows_from(0);
	grows_from(page);
	grows_from(7 * page + 128);
	grows_from(page - 8);
}

static void test_refused(void **state)
{
	struct map_view view;
	uint8_t *memory;

	(void)state;
	assert_int_equal(map_view_reserve(&view, -1, 128, 8 * page), 0);
	memory = view.memory;
	assert_int_equal(map_view_reach(&view, 100), -EBADF);
	assert_false(is_mapped(memory + 4 * page));
	assert_int_equal(map_view_reach(&view, 100), -ENOMEM);
	map_view_close(&view);
	assert_int_equal(map_view_open(&view, -1, 100), -EBADF);
	assert_null(view.memory);
	assert_false(is_there(memory));
}

static void test_all_of_it(void **state)
{
	struct map_view view;

	(void)state;
	assert_int_equal(map_view_open(&view, map_fd, 10 * page - 100), 0);
	((uint8_t *)view.memory)[10 * page - 101] = 42;
	assert_int_equal(byte_of_map(10 * page - 101), 42);
	map_view_close(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_of_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
