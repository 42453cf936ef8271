/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When sessions are looked at for room; the linker puts __wrap_kernel_feature in place of what was
 * tried on this kernel. */
#include "session/room_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/kernel.h"
#include "session/session_private.h"

static struct feature_state buffers;

const struct feature_state *__wrap_kernel_feature(enum feature feature);

const struct feature_state *__wrap_kernel_feature(enum feature feature)
{
	assert_int_equal(feature, FEATURE_BUFFERS);
	return &buffers;
}

static void looks_where_it_can_do_something(void **state)
{
	struct session_env env = {.relay.loop = ev_loop_new(EVFLAG_AUTO)};
	struct ev_loop *loop = env.relay.loop;

	(void)state;
	assert_non_null(loop);
	room_watch_init(&env.room_watch, &env);
	buffers.available = false;
	room_watch_wake(&env.room_watch);
	assert_false(ev_is_active(&env.room_watch.timer));
	buffers.available = true;
	room_watch_wake(&env.room_watch);
	assert_true(ev_is_active(&env.room_watch.timer));
	/* And no more once no session moves. */
	ev_run(loop, EVRUN_ONCE);
	assert_false(ev_is_active(&env.room_watch.timer));
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_where_it_can_do_something),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
