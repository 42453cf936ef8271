/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of c-ares' channels. The linker puts __wrap_NAME in place of what makes them, asks
 * by them and ends them: no name server is asked. */
#include "names/name_query.h"

#include <ares.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define QUERIES 64
#define KEPT	8

static struct ev_loop *loop;
static struct name_asker *asker;
static int channels;
static int told;
static bool caches;

int __real_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);
int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);
void __real_ares_destroy(ares_channel channel);
void __wrap_ares_destroy(ares_channel channel);
void __wrap_ares_getaddrinfo(ares_channel channel, const char *name, const char *service,
			     const struct ares_addrinfo_hints *hints,
			     ares_addrinfo_callback callback, void *arg);

int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask)
{
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

static void none_has_a_cache(void **state)
{
	(void)state;
	ask();
	ev_run(loop, 0);
	assert_false(caches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_burst_leaves_few_channels, setup, teardown),
		cmocka_unit_test_setup_teardown(so_does_one_that_is_cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(none_has_a_cache, setup, teardown),
	};

	loop = ev_default_loop(EVFLAG_NOENV);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
