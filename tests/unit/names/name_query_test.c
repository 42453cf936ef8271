/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of c-ares' channels, and of a resolv.conf that cannot be read. The linker puts
 * __wrap_NAME in place of what makes channels, asks by them and ends them, and of what reads the
 * file: no name server is asked. */
#include "names/name_query.h"

#include <ares.h>
#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/log_seldom.h"
#include "names/name_servers.h"

#define QUERIES 64
#define KEPT	8

static struct ev_loop *loop;
static struct name_asker *asker;
static int channels;
static int told;
#ifdef ARES_OPT_QUERY_CACHE
static bool caches;
#endif
static int ares_fails;
static int open_fails; /* an errno */
static off_t size;     /* of resolv.conf */

int __real_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);
int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);
void __real_ares_destroy(ares_channel channel);
void __wrap_ares_destroy(ares_channel channel);
void __wrap_ares_getaddrinfo(ares_channel channel, const char *name, const char *service,
			     const struct ares_addrinfo_hints *hints,
			     ares_addrinfo_callback callback, void *arg);
FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
int __wrap_stat(const char *path, struct stat *out);
int __wrap_stat64(const char *path, struct stat *out);
int __wrap___stat64_time64(const char *path, struct stat *out);

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	if (!open_fails || strcmp(path, NAME_SERVERS_FILE) != 0)
		return __real_fopen64(path, mode);
	errno = open_fails;
	return NULL;
}

/* As it is called by one C library and another. */
int __wrap_stat(const char *path, struct stat *out)
{
	(void)path;
	*out = (struct stat){.st_size = size};
	return 0;
}

int __wrap_stat64(const char *path, struct stat *out)
{
	return __wrap_stat(path, out);
}

int __wrap___stat64_time64(const char *path, struct stat *out)
{
	return __wrap_stat(path, out);
}

int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask)
{
	if (ares_fails)
		return ares_fails;
	channels++;
#ifdef ARES_OPT_QUERY_CACHE
	caches = (mask & ARES_OPT_SOCK_STATE_CB) &&
		 (!(mask & ARES_OPT_QUERY_CACHE) || options->qcache_max_ttl > 0);
#endif
	return __real_ares_init_options(channel, options, mask);
}

void __wrap_ares_destroy(ares_channel channel)
{
	channels--;
	__real_ares_destroy(channel);
}

void __wrap_ares_getaddrinfo(ares_channel channel, const char *name, const char *service,
			     const struct ares_addrinfo_hints *hints,
			     ares_addrinfo_callback callback, void *arg)
{
	(void)channel;
	(void)name;
	(void)service;
	(void)hints;
	callback(arg, ARES_ENOTFOUND, 0, NULL);
}

static void on_answer(void *context, enum cause cause, const union address *addresses, size_t count)
{
	(void)context;
	(void)addresses;
	assert_int_equal(cause, CAUSE_NAME_NOT_FOUND);
	assert_int_equal(count, 0);
	told++;
}

static struct name_query *ask(void)
{
	struct name_query *query =
		name_query_start(asker, "host.test", AF_INET, NULL, on_answer, NULL);

	assert_non_null(query);
	return query;
}

static int setup(void **state)
{
	(void)state;
	told = channels = 0;
	asker = name_asker_open(loop);
	assert_non_null(asker);
	assert_int_equal(channels, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	name_asker_close(asker);
	assert_int_equal(channels, 0);
	return 0;
}

static void a_burst_leaves_few_channels(void **state)
{
	(void)state;
	for (int i = 0; i < QUERIES; i++)
		ask();
	assert_int_equal(channels, QUERIES);
	ev_run(loop, 0);
	assert_int_equal(told, QUERIES);
	assert_int_equal(channels, KEPT);
	for (int i = 0; i < KEPT; i++)
		ask();
	assert_int_equal(channels, KEPT);
	ev_run(loop, 0);
	assert_int_equal(told, QUERIES + KEPT);
}

static void so_does_one_that_is_cancelled(void **state)
{
	struct name_query *queries[QUERIES];

	(void)state;
	for (int i = 0; i < QUERIES; i++)
		queries[i] = ask();
	for (int i = 0; i < QUERIES; i++)
		name_query_cancel(queries[i]);
	assert_int_equal(channels, KEPT);
	ev_run(loop, 0);
	assert_int_equal(told, 0);
}

/* Nor has c-ares before 1.31 any. */
#ifdef ARES_OPT_QUERY_CACHE
static void none_has_a_cache(void **state)
{
	(void)state;
	caches = true;
	ask();
	ev_run(loop, 0);
	assert_false(caches);
}
#endif

/* As for want of file descriptors for a moment: nobody writes the file again for that. */
static void what_could_not_be_read_is_read_again(void **state)
{
	static const struct {
		int ares;
		int open;
	} faults[] = {
		{.ares = ARES_EFILE}, {.ares = ARES_ENOMEM}, {.open = EMFILE}, {.open = EACCES}};
	char said[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const char *line = said;
		int lines = 0;

		size++;
		ares_fails = faults[i].ares;
		open_fails = faults[i].open;
		log_collect(said, sizeof(said));
		for (int again = 0; again < 3 * LOG_SELDOM_LINES; again++)
			assert_false(name_asker_refresh(asker));
		log_collect(NULL, 0);
		while ((line = strstr(line, "resolver: "))) {
			line++;
			lines++;
		}
		assert_int_equal(lines, LOG_SELDOM_LINES);
		ares_fails = open_fails = 0;
		assert_true(name_asker_refresh(asker));
		assert_false(name_asker_refresh(asker));
		teardown(state);
		setup(state);
	}
}

/* At the start there are no others. */
static void what_cannot_be_read_at_first_is_no_end(void **state)
{
	char said[4096];

	teardown(state);
	size++;
	open_fails = EACCES;
	log_collect(said, sizeof(said));
	setup(state);
	log_collect(NULL, 0);
	assert_non_null(strstr(said, "resolver: cannot read"));
	assert_false(name_asker_refresh(asker));
	open_fails = 0;
	assert_true(name_asker_refresh(asker));
}

static void no_file_is_no_fault(void **state)
{
	(void)state;
	size++;
	open_fails = ENOENT;
	assert_true(name_asker_refresh(asker));
	open_fails = 0;
	assert_false(name_asker_refresh(asker));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_burst_leaves_few_channels, setup, teardown),
		cmocka_unit_test_setup_teardown(so_does_one_that_is_cancelled, setup, teardown),
#ifdef ARES_OPT_QUERY_CACHE
		cmocka_unit_test_setup_teardown(none_has_a_cache, setup, teardown),
#endif
		cmocka_unit_test_setup_teardown(what_could_not_be_read_is_read_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_at_first_is_no_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(no_file_is_no_fault, setup, teardown),
	};

	loop = ev_default_loop(EVFLAG_NOENV);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
