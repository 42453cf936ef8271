/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What takes the place of the parts that need libbpf: nothing is available, and each says why. */
#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accel/local.h"
#include "accel/sockmap.h"
#include "intercept/run_redirect.h"
#include "intercept/steer.h"
#include "intercept/steer_maps.h"

static void assert_built_without(const struct feature_state *state, const char *name,
				 const char *what)
{
	char reason[64];

	snprintf(reason, sizeof(reason), "built without %s", what);
	assert_string_equal(state->name, name);
	assert_false(state->available);
	assert_string_equal(state->reason, reason);
}

static void test_sockmap(void **state)
{
	struct sockmap *sockmap = sockmap_open(&(struct sockmap_options){.workers = 1, .slots = 1});

	(void)state;
	assert_non_null(sockmap);
	assert_built_without(sockmap_feature(sockmap, SOCKMAP_PROGRAM), "bpf", "BPF");
	assert_built_without(sockmap_feature(sockmap, SOCKMAP_TCP), "sockmap-tcp", "BPF");
	assert_built_without(sockmap_feature(sockmap, SOCKMAP_MPTCP), "sockmap-mptcp", "BPF");
	assert_built_without(sockmap_feature(sockmap, SOCKMAP_PINS), "bpf-pins", "BPF");
	assert_null(sockmap_worker(sockmap, 0));
	sockmap_close(sockmap);
}

static void test_local(void **state)
{
	struct local *local = local_open(&(struct local_options){.workers = 1});

	(void)state;
	assert_non_null(local);
	assert_built_without(local_feature(local), "local-accel", "it");
	assert_string_equal(local_feature(NULL)->reason, "not asked for");
	assert_null(local_worker(local, 0));
	assert_null(local_client_open(NULL, -1, NULL, 0, 0));
	local_close(local);
}

static void test_run(void **state)
{
	struct run_redirect *run = run_redirect_open(NULL, false);
	struct json_object *answer = run_redirect_answer(run, NULL);
	struct json_object *error = NULL;
	union address to;

	(void)state;
	assert_non_null(run);
	assert_true(json_object_object_get_ex(answer, "error", &error));
	assert_string_equal(json_object_get_string(error), "hawserd was built without BPF");
	assert_false(run_redirect_take(run, NULL, &to));
	json_object_put(answer);
	run_redirect_close(run);
}

static void test_intercept(void **state)
{
	struct steer_maps maps = {{0}};
	char reason[64] = "";

	(void)state;
	assert_int_equal(steer_up(NULL, reason, sizeof(reason)), -ENOSYS);
	assert_string_equal(reason, "hawser was built without BPF");
	assert_int_equal(steer_down(), 0);
	assert_false(steer_is_up());
	assert_null(steer_state());
	assert_int_equal(steer_maps_open_any(&maps), -ENOENT);
	for (int i = 0; i < STEER_MAP_COUNT; i++)
		assert_int_equal(maps.fds[i], -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockmap),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_intercept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
