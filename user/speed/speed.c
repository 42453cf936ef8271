/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The speed test of this router: starts the thread, stops it, keeps what it found. */
#include "speed/speed.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "config/config.h"
#include "links/links.h"
#include "speed/plan.h"

/* Loop, netlink, name servers, and three connections that are dialled at several addresses; counted
 * in sessions, of two each. */
#define SESSIONS 10

struct speed {
	struct ev_loop *loop;
	ev_async ended;
	ev_timer lease;
	/* All tests of this hawserd are one to the exit, so that it need not wait between them. */
	uint64_t test;
	uint64_t id;
	struct links *links;   /* that are told while one runs */
	struct speed_run *run; /* NULL: none */
	const char *why;       /* it is stopped */
	char spent[LINK_NAME_MAX + 40];
	struct speed_result *last; /* NULL: none */
};

static void take_result(struct speed *speed)
{
	struct speed_run *run = speed->run;
	struct speed_result *result = malloc(sizeof(*result));

	pthread_join(run->thread, NULL);
	links_test(speed->links, false);
	ev_timer_stop(speed->loop, &speed->lease);
	if (result) {
		*result = run->progress.result;
		result->stopped = speed->why != NULL;
		if (speed->why)
			snprintf(result->said, sizeof(result->said), "stopped: %s", speed->why);
		log_info("speed test %llu: %s", (unsigned long long)speed->id,
			 *result->said ? result->said : "done");
	}
	free(speed->last);
	speed->last = result;
	speed->run = NULL;
	ev_loop_destroy(run->loop);
	pthread_mutex_destroy(&run->lock);
	config_put(run->plan.config);
	free(run);
	descriptors_give(DESCRIPTORS_SESSION, SESSIONS);
}

static void on_ended(struct ev_loop *loop, ev_async *ended, int events)
{
	struct speed *speed = ended->data;

	(void)loop;
	(void)events;
	if (speed->run && atomic_load(&speed->run->over))
		take_result(speed);
}

static void on_lease(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct speed *speed = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	(void)speed_stop(speed, 0, "who asked for it has gone");
}

struct speed *speed_open(struct ev_loop *loop)
{
	struct speed *speed = calloc(1, sizeof(*speed));
	ev_async *ended;
	ev_timer *lease;

	if (!speed)
		return NULL;
	speed->loop = loop;
	randombytes_buf(&speed->test, sizeof(speed->test));
	ended = &speed->ended;
	ev_async_init(ended, on_ended);
	ended->data = speed;
	ev_async_start(loop, ended);
	lease = &speed->lease;
	ev_init(lease, on_lease);
	lease->data = speed;
	return speed;
}

void speed_close(struct speed *speed)
{
	if (!speed)
		return;
	if (speed_stop(speed, 0, "hawserd stops"))
		take_result(speed);
	ev_async_stop(speed->loop, &speed->ended);
	free(speed->last);
	free(speed);
}

static void on_wake(struct ev_loop *loop, ev_async *wake, int events)
{
	(void)loop;
	(void)wake;
	(void)events;
}

/* 0 or -errno. Signals are the main thread's. */
static int start_thread(struct speed_run *run)
{
	ev_async *wake = &run->wake;
	sigset_t all;
	sigset_t before;
	int err;

	run->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!run->loop)
		return -ENOMEM;
	ev_async_init(wake, on_wake);
	ev_async_start(run->loop, wake);
	pthread_mutex_init(&run->lock, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&run->thread, NULL, speed_run_thread, run);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		return 0;
	ev_loop_destroy(run->loop);
	pthread_mutex_destroy(&run->lock);
	return err;
}

/* NULL, with why in said. */
static struct speed_run *begin(struct speed *speed, const struct config *config,
			       const struct links *links, const struct speed_order *order,
			       char said[SPEED_SAID_MAX], int *err)
{
	struct speed_run *run = calloc(1, sizeof(*run));

	*err = -ENOMEM;
	snprintf(said, SPEED_SAID_MAX, "hawserd is out of memory");
	if (!run)
		return NULL;
	*err = speed_plan_make(order, config, links, &run->plan, &run->progress.result, said);
	if (*err)
		goto out;
	run->progress.result.time_s = (double)clock_calendar_ms() / 1e3;
	run->plan.test = speed->test;
	run->main_loop = speed->loop;
	run->ended = &speed->ended;
	*err = start_thread(run);
	if (!*err)
		return run;
	snprintf(said, SPEED_SAID_MAX, "cannot start a thread: %s", strerror(-*err));
out:
	free(run);
	return NULL;
}

int speed_start(struct speed *speed, const struct config *config, struct links *links,
		const struct speed_order *order, uint64_t *id, char said[SPEED_SAID_MAX])
{
	int err;

	if (speed->run) {
		snprintf(said, SPEED_SAID_MAX, "another speed test is under way");
		return -EBUSY;
	}
	if (!descriptors_take(DESCRIPTORS_SESSION, SESSIONS)) {
		snprintf(said, SPEED_SAID_MAX, "too few file descriptors are left");
		return -EMFILE;
	}
	/* Before the thread has it. */
	(void)config_get(config);
	links_test(links, true);
	speed->run = begin(speed, config, links, order, said, &err);
	if (!speed->run) {
		links_test(links, false);
		config_put(config);
		descriptors_give(DESCRIPTORS_SESSION, SESSIONS);
		return err;
	}
	speed->links = links;
	speed->why = NULL;
	*id = ++speed->id;
	log_info("speed test %llu by exit %s begins", (unsigned long long)*id,
		 speed->run->plan.exit->name);
	speed->lease.repeat = order->lease_s;
	if (order->lease_s > 0)
		ev_timer_again(speed->loop, &speed->lease);
	return 0;
}

void speed_renew(struct speed *speed, uint64_t id)
{
	if (speed->run && speed->id == id && speed->lease.repeat > 0)
		ev_timer_again(speed->loop, &speed->lease);
}

bool speed_stop(struct speed *speed, uint64_t id, const char *why)
{
	if (!speed->run || (id > 0 && speed->id != id))
		return false;
	if (!speed->why && !atomic_load(&speed->run->over))
		speed->why = why;
	atomic_store(&speed->run->stop, true);
	ev_async_send(speed->run->loop, &speed->run->wake);
	return true;
}

/* Whether it fills this link, has filled it, or is still to do so. A backup carries nothing of all
 * together. */
static bool fills(const struct speed_run *run, const char *name)
{
	const struct speed_result *result = &run->progress.result;
	bool together = false;

	for (size_t i = 0; i < result->count; i++) {
		together = together || result->rows[i].together;
		if (!result->rows[i].skipped && strcmp(result->rows[i].name, name) == 0)
			return true;
	}
	for (size_t i = 0; together && i < run->plan.choices.count; i++) {
		const struct link_choice *link = &run->plan.choices.links[i];

		if (strcmp(link->name, name) == 0)
			return !link->spent && !link->backup;
	}
	return false;
}

void speed_take_links(struct speed *speed, const struct link_choices *choices)
{
	if (!speed || !speed->run)
		return;
	for (size_t i = 0; i < choices->count; i++) {
		const struct link_choice *link = &choices->links[i];

		if (!link->spent || !fills(speed->run, link->name))
			continue;
		snprintf(speed->spent, sizeof(speed->spent), "the quota of link %s is used up",
			 link->name);
		(void)speed_stop(speed, 0, speed->spent);
		return;
	}
}

void speed_look(struct speed *speed, struct speed_view *out)
{
	struct speed_run *run = speed->run;

	*out = (struct speed_view){.id = speed->id, .running = run != NULL, .last = speed->last};
	if (!run)
		return;
	pthread_mutex_lock(&run->lock);
	out->done = run->progress.done;
	memcpy(out->doing, run->progress.doing, sizeof(out->doing));
	out->bytes_per_s = run->progress.bytes_per_s;
	out->bytes = run->progress.result.bytes;
	pthread_mutex_unlock(&run->lock);
}
