/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker whose configuration is long in coming, as on a busy machine. */
#include "daemon/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "accel/packets_pair.h"

static int events = -1;
static int tidied;

struct sockmap_worker *__wrap_sockmap_worker(struct sockmap *sockmap, unsigned int index);
struct sockmap_worker *__wrap_sockmap_worker(struct sockmap *sockmap, unsigned int index)
{
	(void)sockmap;
	(void)index;
	return NULL;
}

struct packets_worker *__wrap_packets_worker(struct packets *packets, unsigned int index);
struct packets_worker *__wrap_packets_worker(struct packets *packets, unsigned int index)
{
	(void)index;
	return (struct packets_worker *)packets;
}

int __wrap_packets_event_fd(const struct packets_worker *worker);
int __wrap_packets_event_fd(const struct packets_worker *worker)
{
	(void)worker;
	return events;
}

void __wrap_packets_pair_tidy(struct packets_worker *worker, double idle_s);
void __wrap_packets_pair_tidy(struct packets_worker *worker, double idle_s)
{
	(void)worker;
	(void)idle_s;
	__atomic_fetch_add(&tidied, 1, __ATOMIC_SEQ_CST);
}

/* Once a second it looks through its pairs, by the configuration. */
static void packets_wait_for_it(void **state)
{
	struct worker *worker;

	(void)state;
	events = eventfd(0, EFD_CLOEXEC);
	assert_true(events >= 0);
	worker = worker_start(&(struct worker_options){.index = 1,
						       .count = 2,
						       .queries_max = 1,
						       .unheard_max = 1,
						       .packets = (struct packets *)&tidied});
	assert_non_null(worker);
	usleep(1300000);
	worker_stop(worker);
	close(events);
	assert_int_equal(tidied, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_wait_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
