/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "on_event/on_event.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define VALUES_MAX     16
#define NAME_MAX_BYTES 512

/* What waits: the variables are malloc'ed; NULL ends them. */
struct waiting {
	char *variables[VALUES_MAX + 1];
};

struct on_event {
	struct ev_loop *loop;
	char *program; /* NULL: none */
	double deadline_s;
	struct waiting queue[HOOKS_WAITING_MAX]; /* a ring */
	size_t first;
	size_t count;
	char event[EVENT_NAME_MAX]; /* that the program runs for */
	char runs[NAME_MAX_BYTES];  /* which one: a reload may have given another since */
	pid_t pid;		    /* 0: it does not run */
	ev_child child;
	ev_timer deadline;
	uint64_t run;
	uint64_t failed;
	uint64_t dropped;
	uint64_t told_dropped;
	struct past_event past[EVENTS_KEPT]; /* a ring */
	uint64_t past_count;
};

static void waiting_free(struct waiting *waiting)
{
	for (size_t i = 0; waiting->variables[i]; i++)
		free(waiting->variables[i]);
	*waiting = (struct waiting){0};
}

static char *make_variable(const char *name, const char *text)
{
	char *variable;

	return asprintf(&variable, "HAWSER_%s=%s", name, text) < 0 ? NULL : variable;
}

static int start(struct on_event *on_event, char *const environment[], pid_t *pid)
{
	char *const arguments[] = {on_event->program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int err;

	if (posix_spawn_file_actions_init(&actions))
		return ENOMEM;
	if (posix_spawnattr_init(&attributes)) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
	/* What it says is for the log. */
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (!err)
		err = posix_spawn(pid, on_event->program, &actions, &attributes, arguments,
				  environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

/* Ours, without HAWSER_ of its own, and the variables; only the array is the caller's to free. */
static char **make_environment(const struct waiting *waiting)
{
	size_t count = 0, own = 0;
	char **environment;

	while (environ[own])
		own++;
	environment = calloc(own + VALUES_MAX + 1, sizeof(*environment));
	for (size_t i = 0; environment && i < own; i++)
		if (strncmp(environ[i], "HAWSER_", 7) != 0)
			environment[count++] = environ[i];
	for (size_t i = 0; environment && waiting->variables[i]; i++)
		environment[count++] = waiting->variables[i];
	return environment;
}

static void fail(struct on_event *on_event, const char *why)
{
	on_event->failed++;
	log_warning("on-event: %s for %s: %s", on_event->runs, on_event->event, why);
}

/* Until one runs, or none waits. */
static void run_next(struct on_event *on_event)
{
	while (on_event->pid == 0 && on_event->count > 0) {
		struct waiting *waiting = &on_event->queue[on_event->first];
		char **environment = make_environment(waiting);
		int err = ENOMEM;

		on_event->first = (on_event->first + 1) % HOOKS_WAITING_MAX;
		on_event->count--;
		snprintf(on_event->event, sizeof(on_event->event), "%s",
			 waiting->variables[0] + strlen("HAWSER_EVENT="));
		snprintf(on_event->runs, sizeof(on_event->runs), "%s", on_event->program);
		on_event->run++;
		if (environment)
			err = start(on_event, environment, &on_event->pid);
		free(environment);
		waiting_free(waiting);
		if (err) {
			on_event->pid = 0;
			fail(on_event, strerror(err));
			continue;
		}
		log_debug("on-event: %s runs for %s", on_event->program, on_event->event);
		ev_child_set(&on_event->child, on_event->pid, 0);
		ev_child_start(on_event->loop, &on_event->child);
		on_event->deadline.repeat = on_event->deadline_s;
		ev_timer_again(on_event->loop, &on_event->deadline);
	}
}

/* What it has left behind is killed with it: one runs at a time. */
static void end(struct on_event *on_event)
{
	(void)kill(-on_event->pid, SIGKILL);
	ev_child_stop(on_event->loop, &on_event->child);
	ev_timer_stop(on_event->loop, &on_event->deadline);
	on_event->pid = 0;
}

static void on_child(struct ev_loop *loop, ev_child *child, int events)
{
	struct on_event *on_event = child->data;
	const int status = child->rstatus;
	char why[64];

	(void)loop;
	(void)events;
	end(on_event);
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
		fail(on_event, why);
	} else if (WIFSIGNALED(status)) {
		snprintf(why, sizeof(why), "ended by signal %d", WTERMSIG(status));
		fail(on_event, why);
	}
	run_next(on_event);
}

/* The next one waits until this one is gone, as it may be stuck in the kernel. */
static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct on_event *on_event = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	log_warning("on-event: %s for %s: killed after %g s", on_event->runs, on_event->event,
		    timer->repeat);
	(void)kill(-on_event->pid, SIGKILL);
}

struct on_event *on_event_open(struct ev_loop *loop)
{
	struct on_event *on_event = calloc(1, sizeof(*on_event));
	ev_child *child;
	ev_timer *deadline;

	if (!on_event)
		return NULL;
	on_event->loop = loop;
	child = &on_event->child;
	ev_child_init(child, on_child, 0, 0);
	child->data = on_event;
	deadline = &on_event->deadline;
	ev_init(deadline, on_deadline);
	deadline->data = on_event;
	return on_event;
}

static void forget(struct on_event *on_event)
{
	for (; on_event->count > 0; on_event->count--) {
		waiting_free(&on_event->queue[on_event->first]);
		on_event->first = (on_event->first + 1) % HOOKS_WAITING_MAX;
	}
}

void on_event_close(struct on_event *on_event)
{
	if (!on_event)
		return;
	if (on_event->pid > 0)
		end(on_event);
	forget(on_event);
	free(on_event->program);
	free(on_event);
}

void on_event_configure(struct on_event *on_event, const char *program, double deadline_s)
{
	char *copy = program ? strdup(program) : NULL;

	if (program && !copy)
		log_error("on-event: %s", strerror(ENOMEM));
	free(on_event->program);
	on_event->program = copy;
	on_event->deadline_s = deadline_s;
	if (!copy)
		forget(on_event);
}

/* False without memory. */
static bool fill(struct waiting *waiting, const char *event, const struct hook_value *values,
		 size_t count)
{
	char time[CLOCK_TEXT_MAX];
	size_t used = 0;

	clock_text(clock_calendar_ms(), false, time);
	waiting->variables[used++] = make_variable("EVENT", event);
	waiting->variables[used++] = make_variable("TIME", time);
	for (size_t i = 0; i < count && used < VALUES_MAX; i++)
		if (values[i].text && *values[i].text)
			waiting->variables[used++] = make_variable(values[i].name, values[i].text);
	for (size_t i = 0; i < used; i++)
		if (!waiting->variables[i])
			return false;
	return true;
}

static void keep(struct on_event *on_event, const char *event, const struct hook_value *values,
		 size_t count)
{
	static const char cut[] = "...";
	struct past_event *past = &on_event->past[on_event->past_count++ % EVENTS_KEPT];

	*past = (struct past_event){.time_s = (double)clock_calendar_ms() / 1e3};
	snprintf(past->event, sizeof(past->event), "%s", event);
	for (size_t i = 0; i < count; i++)
		if (strcmp(values[i].name, "TEXT") == 0 &&
		    snprintf(past->text, sizeof(past->text), "%s", values[i].text) >=
			    EVENT_TEXT_MAX)
			memcpy(past->text + EVENT_TEXT_MAX - sizeof(cut), cut, sizeof(cut));
}

const struct past_event *on_event_past(const struct on_event *on_event, size_t index)
{
	const uint64_t count = on_event->past_count;
	const uint64_t first = count > EVENTS_KEPT ? count - EVENTS_KEPT : 0;

	return first + index < count ? &on_event->past[(first + index) % EVENTS_KEPT] : NULL;
}

void on_event_tell(struct on_event *on_event, const char *event, const struct hook_value *values,
		   size_t count)
{
	struct waiting *waiting;

	if (!on_event)
		return;
	keep(on_event, event, values, count);
	if (!on_event->program)
		return;
	if (on_event->count == HOOKS_WAITING_MAX) {
		if (on_event->dropped++ == on_event->told_dropped)
			log_warning("on-event: %d events wait for %s; more are left out",
				    HOOKS_WAITING_MAX, on_event->program);
		return;
	}
	on_event->told_dropped = on_event->dropped;
	waiting = &on_event->queue[(on_event->first + on_event->count) % HOOKS_WAITING_MAX];
	if (!fill(waiting, event, values, count)) {
		for (size_t i = 0; i < VALUES_MAX; i++)
			free(waiting->variables[i]);
		*waiting = (struct waiting){0};
		on_event->dropped++;
		log_error("on-event: %s: %s", event, strerror(ENOMEM));
		return;
	}
	on_event->count++;
	run_next(on_event);
}

struct on_event_state on_event_state(const struct on_event *on_event)
{
	return (struct on_event_state){.program = on_event->program ? on_event->program : "",
				       .run = on_event->run,
				       .failed = on_event->failed,
				       .dropped = on_event->dropped,
				       .waiting = on_event->count};
}
