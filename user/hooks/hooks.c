/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hooks/hooks.h"

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

#define VALUES_MAX    16
#define VARIABLE_MAX  512
#define TIME_TEXT_MAX 32

/* What waits: the variables are malloc'ed; NULL ends them. */
struct waiting {
	char *variables[VALUES_MAX + 1];
};

struct hooks {
	struct ev_loop *loop;
	char *program; /* NULL: none */
	double deadline_s;
	struct waiting queue[HOOKS_WAITING_MAX]; /* a ring */
	size_t first;
	size_t count;
	char event[VARIABLE_MAX]; /* that the program runs for */
	pid_t pid;		  /* 0: it does not run */
	ev_child child;
	ev_timer deadline;
	uint64_t run;
	uint64_t failed;
	uint64_t dropped;
	uint64_t told_dropped;
};

static void waiting_free(struct waiting *waiting)
{
	for (size_t i = 0; waiting->variables[i]; i++)
		free(waiting->variables[i]);
	*waiting = (struct waiting){0};
}

static char *make_variable(const char *name, const char *text)
{
	char variable[VARIABLE_MAX];

	snprintf(variable, sizeof(variable), "HAWSER_%s=%s", name, text);
	return strdup(variable);
}

static int start(struct hooks *hooks, char *const environment[], pid_t *pid)
{
	char *const arguments[] = {hooks->program, NULL};
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
		err = posix_spawn(pid, hooks->program, &actions, &attributes, arguments,
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

static void fail(struct hooks *hooks, const char *why)
{
	hooks->failed++;
	log_warning("on-event: %s for %s: %s", hooks->program, hooks->event, why);
}

/* Until one runs, or none waits. */
static void run_next(struct hooks *hooks)
{
	while (hooks->pid == 0 && hooks->count > 0) {
		struct waiting *waiting = &hooks->queue[hooks->first];
		char **environment = make_environment(waiting);
		int err = ENOMEM;

		hooks->first = (hooks->first + 1) % HOOKS_WAITING_MAX;
		hooks->count--;
		snprintf(hooks->event, sizeof(hooks->event), "%s",
			 waiting->variables[0] + strlen("HAWSER_EVENT="));
		hooks->run++;
		if (environment)
			err = start(hooks, environment, &hooks->pid);
		free(environment);
		waiting_free(waiting);
		if (err) {
			hooks->pid = 0;
			fail(hooks, strerror(err));
			continue;
		}
		log_debug("on-event: %s runs for %s", hooks->program, hooks->event);
		ev_child_set(&hooks->child, hooks->pid, 0);
		ev_child_start(hooks->loop, &hooks->child);
		hooks->deadline.repeat = hooks->deadline_s;
		ev_timer_again(hooks->loop, &hooks->deadline);
	}
}

/* What it has left behind is killed with it: one runs at a time. */
static void end(struct hooks *hooks)
{
	(void)kill(-hooks->pid, SIGKILL);
	ev_child_stop(hooks->loop, &hooks->child);
	ev_timer_stop(hooks->loop, &hooks->deadline);
	hooks->pid = 0;
}

static void on_child(struct ev_loop *loop, ev_child *child, int events)
{
	struct hooks *hooks = child->data;
	const int status = child->rstatus;
	char why[64];

	(void)loop;
	(void)events;
	end(hooks);
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
		fail(hooks, why);
	} else if (WIFSIGNALED(status)) {
		snprintf(why, sizeof(why), "ended by signal %d", WTERMSIG(status));
		fail(hooks, why);
	}
	run_next(hooks);
}

/* The next one waits until this one is gone, as it may be stuck in the kernel. */
static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct hooks *hooks = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	log_warning("on-event: %s for %s: killed after %g s", hooks->program, hooks->event,
		    hooks->deadline_s);
	(void)kill(-hooks->pid, SIGKILL);
}

struct hooks *hooks_open(struct ev_loop *loop)
{
	struct hooks *hooks = calloc(1, sizeof(*hooks));
	ev_child *child;
	ev_timer *deadline;

	if (!hooks)
		return NULL;
	hooks->loop = loop;
	child = &hooks->child;
	ev_child_init(child, on_child, 0, 0);
	child->data = hooks;
	deadline = &hooks->deadline;
	ev_init(deadline, on_deadline);
	deadline->data = hooks;
	return hooks;
}

static void forget(struct hooks *hooks)
{
	for (; hooks->count > 0; hooks->count--) {
		waiting_free(&hooks->queue[hooks->first]);
		hooks->first = (hooks->first + 1) % HOOKS_WAITING_MAX;
	}
}

void hooks_close(struct hooks *hooks)
{
	if (!hooks)
		return;
	if (hooks->pid > 0)
		end(hooks);
	forget(hooks);
	free(hooks->program);
	free(hooks);
}

void hooks_configure(struct hooks *hooks, const char *program, double deadline_s)
{
	char *copy = program ? strdup(program) : NULL;

	if (program && !copy)
		log_error("on-event: %s", strerror(ENOMEM));
	free(hooks->program);
	hooks->program = copy;
	hooks->deadline_s = deadline_s;
	if (!copy)
		forget(hooks);
}

static void format_now(char out[TIME_TEXT_MAX])
{
	const time_t now = (time_t)(clock_calendar_ms() / 1000);
	struct tm utc = {0};

	gmtime_r(&now, &utc);
	strftime(out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* False without memory. */
static bool fill(struct waiting *waiting, const char *event, const struct hook_value *values,
		 size_t count)
{
	char time[TIME_TEXT_MAX];
	size_t used = 0;

	format_now(time);
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

void hooks_tell(struct hooks *hooks, const char *event, const struct hook_value *values,
		size_t count)
{
	struct waiting *waiting;

	if (!hooks || !hooks->program)
		return;
	if (hooks->count == HOOKS_WAITING_MAX) {
		if (hooks->dropped++ == hooks->told_dropped)
			log_warning("on-event: %d events wait for %s; more are left out",
				    HOOKS_WAITING_MAX, hooks->program);
		return;
	}
	hooks->told_dropped = hooks->dropped;
	waiting = &hooks->queue[(hooks->first + hooks->count) % HOOKS_WAITING_MAX];
	if (!fill(waiting, event, values, count)) {
		for (size_t i = 0; i < VALUES_MAX; i++)
			free(waiting->variables[i]);
		*waiting = (struct waiting){0};
		hooks->dropped++;
		log_error("on-event: %s: %s", event, strerror(ENOMEM));
		return;
	}
	hooks->count++;
	run_next(hooks);
}

struct hooks_state hooks_state(const struct hooks *hooks)
{
	return (struct hooks_state){.program = hooks->program ? hooks->program : "",
				    .run = hooks->run,
				    .failed = hooks->failed,
				    .dropped = hooks->dropped,
				    .waiting = hooks->count};
}
