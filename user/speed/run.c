/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A speed test as it goes. The thread has a loop of its own, which turns while a step waits, so
 * that the steps stand one below the other. */
#include "speed/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sodium.h>

#include "net/netlink.h"
#include "speed/run_private.h"
#include "upstream/resolver.h"

/* Nobody else has to have the CPU for long. */
#define NICE 10

static void measure_all(struct speed_runner *r)
{
	struct speed_result *result = &r->run->progress.result;

	for (r->subject = 0; r->subject < result->count; r->subject++) {
		enum speed_outcome outcome = SPEED_MEASURED;

		if (speed_row_of(r)->skipped)
			continue;
		outcome = speed_measure(r, DOWN);
		if (outcome == SPEED_MEASURED)
			outcome = speed_measure(r, UP);
		if (speed_stopped(r))
			return;
		if (outcome != SPEED_NOTHING)
			continue;
		memcpy(result->said, speed_row_of(r)->said, sizeof(result->said));
		speed_row_of(r)->said[0] = '\0';
		return;
	}
}

/* 0 or -errno. */
static int prepare(struct speed_runner *r)
{
	const struct speed_plan *plan = &r->run->plan;
	struct ev_loop *loop = r->run->loop;
	int err;

	loop_clock_init(&r->clock, loop);
	mptcp_blackhole_init(&r->blackhole);
	err = link_picker_init(&r->picker, 0);
	if (err)
		return err;
	link_picker_update(&r->picker, &plan->choices);
	r->env.exit = plan->exit;
	r->env.test = plan->test;
	r->env.chunk = malloc(STREAM_CHUNK_BYTES);
	r->env.dial = (struct dial_env){.loop = loop,
					.resolver = resolver_open(loop, RESOLVER_RUNNING_MAX),
					.mptcp_blackhole = &r->blackhole,
					.links = &r->picker,
					.config = plan->config};
	if (!r->env.chunk || !r->env.dial.resolver)
		return -ENOMEM;
	r->watch.netlink = netlink_open(NETLINK_ROUTE);
	if (!r->watch.netlink)
		return -errno;
	randombytes_buf(r->env.chunk, STREAM_CHUNK_BYTES);
	ev_timer_init(&r->tick, speed_on_tick, SPEED_TICK_S, SPEED_TICK_S);
	r->tick.data = r;
	ev_timer_start(loop, &r->tick);
	return 0;
}

static void release(struct speed_runner *r)
{
	ev_timer_stop(r->run->loop, &r->tick);
	netlink_close(r->watch.netlink);
	resolver_close(r->env.dial.resolver);
	link_picker_fini(&r->picker);
	free(r->env.chunk);
}

void *speed_run_thread(void *run)
{
	struct speed_runner runner = {.run = run};
	struct speed_result *result = &runner.run->progress.result;
	int err;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	err = prepare(&runner);
	if (err)
		snprintf(result->said, sizeof(result->said), "cannot begin: %s", strerror(-err));
	else
		measure_all(&runner);
	release(&runner);
	atomic_store(&runner.run->over, true);
	ev_async_send(runner.run->main_loop, runner.run->ended);
	return NULL;
}
