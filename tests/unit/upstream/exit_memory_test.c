/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of exits' addresses gets what is to be in it, also when it could not be written at
 * first, and when it is to be elsewhere. The linker puts __wrap_text_file_replace in place of what
 * writes it, which counts. */
#include "upstream/exit_memory.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "shared/exit_state.h"

static char base[] = "/tmp/hawser-exits-XXXXXX";
static char one[sizeof(base) + 8], two[sizeof(base) + 8];
static struct ev_loop *loop;
static struct exit_memory *memory;
static struct exit_config exit_config = {.name = (char *)"vps"};
static struct config config = {.references = 1, .exits = &exit_config, .exit_count = 1};
static struct config moved = {.references = 1, .exits = &exit_config, .exit_count = 1};

static atomic_int attempts;

int __real_text_file_replace(const char *directory, const char *name, mode_t mode,
			     const char *text);
int __wrap_text_file_replace(const char *directory, const char *name, mode_t mode,
			     const char *text);

int __wrap_text_file_replace(const char *directory, const char *name, mode_t mode, const char *text)
{
	const int err = __real_text_file_replace(directory, name, mode, text);

	attempts++;
	return err;
}

static void find_exit_at(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	exit_state_set_address(exit_config.state, &prefix.base);
}

static const char *path_in(const char *directory)
{
	static char path[sizeof(one) + 16];

	snprintf(path, sizeof(path), "%s/exits.json", directory);
	return path;
}

static bool file_has(const char *directory, const char *text)
{
	char read[512] = "";
	FILE *file = fopen(path_in(directory), "re");

	if (!file)
		return false;
	(void)!fread(read, 1, sizeof(read) - 1, file);
	fclose(file);
	return strstr(read, text) != NULL;
}

static void begin(const char *directory)
{
	exit_config.state = exit_state_new();
	assert_non_null(exit_config.state);
	config.state_dir = (char *)directory;
	memory = exit_memory_open(loop);
	assert_non_null(memory);
	exit_memory_configure(memory, &config);
}

static void end(void)
{
	exit_memory_close(memory);
	exit_state_put(exit_config.state);
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(destination_parse("vps.example:1080", &exit_config.place.destination), 0);
	strcpy(base, "/tmp/hawser-exits-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(one, sizeof(one), "%s/one", base);
	snprintf(two, sizeof(two), "%s/two", base);
	moved.state_dir = two;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		unlink(path_in(i ? two : one));
		rmdir(i ? two : one);
	}
	return rmdir(base);
}

static void a_failure_is_not_taken_for_the_file(void **state)
{
	FILE *obstacle;

	(void)state;
	obstacle = fopen(one, "we");
	assert_non_null(obstacle);
	fclose(obstacle);
	begin(one);
	find_exit_at("192.0.2.7");
	/* A reload, which writes; nothing is new at the next one. */
	exit_memory_configure(memory, &config);
	exit_memory_configure(memory, &config);
	for (int i = 0; attempts == 0 && i < 60 * 1000; i++)
		usleep(1000);
	assert_int_equal(attempts, 1);
	unlink(one);
	end();
	assert_true(file_has(one, "192.0.2.7"));
}

static void what_was_known_gets_to_another_directory(void **state)
{
	(void)state;
	begin(one);
	find_exit_at("192.0.2.8");
	exit_memory_configure(memory, &moved);
	end();
	assert_true(file_has(one, "192.0.2.8"));
	assert_true(file_has(two, "192.0.2.8"));
}

static void what_is_known_is_not_written_again(void **state)
{
	struct stat before, after;

	(void)state;
	begin(one);
	find_exit_at("192.0.2.9");
	find_exit_at("2001:db8::9");
	end();
	assert_true(file_has(one, "192.0.2.9"));
	assert_true(file_has(one, "2001:db8::9"));
	assert_int_equal(stat(path_in(one), &before), 0);
	begin(one);
	end();
	assert_int_equal(stat(path_in(one), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_failure_is_not_taken_for_the_file, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_was_known_gets_to_another_directory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_known_is_not_written_again, setup,
						teardown),
	};

	loop = ev_default_loop(EVFLAG_NOENV);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
