/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the heartbeat asks of the kernel: nft_set_renew() and nft_set_delete() are fakes that count.
 */
#include "daemon/heartbeat.h"

#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/worker.h"
#include "intercept/nft_set.h"

static int answer;
static int renewed;
static int deleted;

int __wrap_nft_set_renew(const char *set, const struct nft_set_element *elements, size_t count,
			 uint64_t timeout_ms);
int __wrap_nft_set_delete(const char *set, const struct nft_set_element *elements, size_t count);
bool __wrap_worker_holds(const struct worker *worker);

int __wrap_nft_set_renew(const char *set, const struct nft_set_element *elements, size_t count,
			 uint64_t timeout_ms)
{
	(void)set;
	(void)elements;
	(void)count;
	(void)timeout_ms;
	renewed++;
	return answer;
}

int __wrap_nft_set_delete(const char *set, const struct nft_set_element *elements, size_t count)
{
	(void)set;
	(void)elements;
	(void)count;
	deleted++;
	return answer;
}

bool __wrap_worker_holds(const struct worker *worker)
{
	(void)worker;
	return true;
}

static struct config *config_of(struct listen_config *listen)
{
	static struct config config;

	*listen = (struct listen_config){.transparent = true};
	listen->address.sa.sa_family = AF_INET;
	config = (struct config){.listen = listen, .listen_count = 1};
	return &config;
}

static void without_nftables(void **state)
{
	static const int absent[] = {-EOPNOTSUPP, -EPROTONOSUPPORT};
	struct ev_loop *loop = ev_loop_new(0);
	struct worker *worker = NULL;
	struct heartbeat *heartbeat = heartbeat_open(loop, &worker, 1);
	struct listen_config listen;
	const struct config *config = config_of(&listen);

	(void)state;
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		answer = absent[i];
		heartbeat_start(heartbeat, config);
		renewed = deleted = 0;
		/* The first has found out. */
		ev_run(loop, EVRUN_ONCE);
		assert_int_equal(renewed, 0);
		heartbeat_pause(heartbeat, true);
		assert_int_equal(deleted, 0);
		/* What comes into force may have brought it. */
		answer = 0;
		heartbeat_pause(heartbeat, false);
		ev_run(loop, EVRUN_NOWAIT);
		assert_true(renewed > 0);
		heartbeat_stop(heartbeat);
	}
	heartbeat_close(heartbeat);
	ev_loop_destroy(loop);
}

static void with_nftables(void **state)
{
	static const int answers[] = {0, -ENOENT, -EPERM};
	struct ev_loop *loop = ev_loop_new(0);
	struct worker *worker = NULL;
	struct heartbeat *heartbeat = heartbeat_open(loop, &worker, 1);
	struct listen_config listen;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		answer = answers[i];
		heartbeat_start(heartbeat, config_of(&listen));
		renewed = 0;
		ev_run(loop, EVRUN_ONCE);
		assert_int_equal(renewed, 2);
		heartbeat_stop(heartbeat);
	}
	heartbeat_close(heartbeat);
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_nftables),
		cmocka_unit_test(with_nftables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
