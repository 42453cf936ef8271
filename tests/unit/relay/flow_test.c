/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tier a flow gets, on kernels that pass pages on from or to MPTCP sockets, and on ones that
 * do not. The linker puts __wrap_kernel_feature in place of what was tried on this one. */
#include "relay/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/kernel.h"

static struct feature_state states[FEATURE_COUNT];

const struct feature_state *__wrap_kernel_feature(enum feature feature);

const struct feature_state *__wrap_kernel_feature(enum feature feature)
{
	return &states[feature];
}

static void offer(bool splice, bool from_mptcp, bool to_mptcp)
{
	states[FEATURE_SPLICE].available = splice;
	states[FEATURE_SPLICE_FROM_MPTCP].available = from_mptcp;
	states[FEATURE_SPLICE_TO_MPTCP].available = to_mptcp;
}

static const char *chosen(enum transport source, enum transport target, enum tier_mode mode)
{
	struct flow flow;

	flow_init(&flow, -1, source, -1, target, mode);
	assert_non_null(flow.reason);
	assert_true(flow.tier == &tier_splice || flow.tier == &tier_copy);
	return flow.tier == &tier_splice ? "splice" : "copy";
}

static const char *by_default(enum transport source, enum transport target)
{
	return chosen(source, target, TIER_MODE_AUTO);
}

static void tcp_is_spliced(void **state)
{
	(void)state;
	offer(true, false, false);
	assert_string_equal(by_default(TRANSPORT_TCP, TRANSPORT_TCP), "splice");
	offer(false, false, false);
	assert_string_equal(by_default(TRANSPORT_TCP, TRANSPORT_TCP), "copy");
}

static void mptcp_is_spliced_where_that_does_not_copy(void **state)
{
	static const enum transport mptcp[] = {TRANSPORT_MPTCP, TRANSPORT_FALLBACK};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		offer(true, false, false);
		assert_string_equal(by_default(mptcp[i], TRANSPORT_TCP), "copy");
		assert_string_equal(by_default(TRANSPORT_TCP, mptcp[i]), "copy");
		offer(true, true, false);
		assert_string_equal(by_default(mptcp[i], TRANSPORT_TCP), "splice");
		assert_string_equal(by_default(TRANSPORT_TCP, mptcp[i]), "copy");
		assert_string_equal(by_default(mptcp[i], TRANSPORT_MPTCP), "copy");
		offer(true, false, true);
		assert_string_equal(by_default(mptcp[i], TRANSPORT_TCP), "copy");
		assert_string_equal(by_default(TRANSPORT_TCP, mptcp[i]), "splice");
		offer(true, true, true);
		assert_string_equal(by_default(mptcp[i], TRANSPORT_MPTCP), "splice");
	}
}

static void the_setting_decides(void **state)
{
	(void)state;
	offer(true, true, true);
	assert_string_equal(chosen(TRANSPORT_MPTCP, TRANSPORT_TCP, TIER_MODE_COPY), "copy");
	offer(true, false, false);
	assert_string_equal(chosen(TRANSPORT_MPTCP, TRANSPORT_MPTCP, TIER_MODE_SPLICE), "splice");
	offer(false, false, false);
	assert_string_equal(chosen(TRANSPORT_TCP, TRANSPORT_TCP, TIER_MODE_SPLICE), "copy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_spliced),
		cmocka_unit_test(mptcp_is_spliced_where_that_does_not_copy),
		cmocka_unit_test(the_setting_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
