/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that are slow, that hang, fail or are not there; and what they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "base/clock.h"
#include "base/log.h"
#include "on_event/on_event.h"

#define WAIT_S 20.
/* Longer than a busy machine keeps a shell from saying what it is to say. */
#define DEADLINE_S 2.

static char directory[] = "/tmp/on_event_test.XXXXXX";
static char program[64], output[64];
static struct ev_loop *loop;
static struct on_event *on_event;

static void write_program(const char *text)
{
	FILE *file = fopen(program, "we");

	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", text);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(program, 0700), 0);
}

static int setup(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	assert_non_null(mkdtemp(directory));
	snprintf(program, sizeof(program), "%s/program", directory);
	snprintf(output, sizeof(output), "%s/output", directory);
	assert_int_equal(chdir(directory), 0);
	loop = ev_default_loop(EVFLAG_AUTO);
	return loop ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	unlink(program);
	return rmdir(directory);
}

static int open_it(void **state)
{
	(void)state;
	on_event = on_event_open(loop);
	return on_event ? 0 : -1;
}

static int close_it(void **state)
{
	(void)state;
	on_event_close(on_event);
	unlink(output);
	return 0;
}

static void on_wait(struct ev_loop *unused, ev_timer *timer, int events)
{
	(void)unused;
	(void)timer;
	(void)events;
}

/* Until so many have run, and written so many lines. */
static void await_lines(uint64_t count, size_t expected)
{
	const double until_s = clock_monotonic_s() + WAIT_S;
	ev_timer wait;
	char text[1 << 15] = "";
	FILE *file;

	ev_timer_init(&wait, on_wait, 0.01, 0.01);
	ev_timer_start(loop, &wait);
	while (clock_monotonic_s() < until_s) {
		size_t len = 0, lines = 0;

		ev_run(loop, EVRUN_ONCE);
		file = fopen(output, "re");
		if (file) {
			len = fread(text, 1, sizeof(text) - 1, file);
			fclose(file);
		}
		for (size_t i = 0; i < len; i++)
			lines += text[i] == '\n';
		if (on_event_state(on_event).run >= count && lines >= expected)
			break;
	}
	ev_timer_stop(loop, &wait);
	assert_int_equal(on_event_state(on_event).run, count);
	assert_true(clock_monotonic_s() < until_s);
}

static void await_failure(void)
{
	const double until_s = clock_monotonic_s() + WAIT_S;
	ev_timer wait;

	ev_timer_init(&wait, on_wait, 0.01, 0.01);
	ev_timer_start(loop, &wait);
	while (on_event_state(on_event).failed == 0 && clock_monotonic_s() < until_s)
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &wait);
	assert_int_equal(on_event_state(on_event).failed, 1);
}

static void await_run(uint64_t count)
{
	await_lines(count, count);
}

static void read_output(char *out, size_t size)
{
	FILE *file = fopen(output, "re");

	assert_non_null(file);
	out[fread(out, 1, size - 1, file)] = '\0';
	fclose(file);
}

static void a_program_is_told(void **state)
{
	const struct hook_value values[] = {
		{"LINK", "dsl"}, {"STATE", ""}, {"EXIT", NULL}, {"TEXT", "a b \"c\" $d"}};
	char text[256];

	(void)state;
	setenv("HAWSER_STATE", "of somebody else", 1);
	write_program("echo \"$HAWSER_EVENT|$HAWSER_LINK|${HAWSER_STATE-none}|${HAWSER_EXIT-none}|"
		      "$HAWSER_TEXT|${HAWSER_TIME#*T*:*:[0-5][0-9]}|$(cat)\" >> output");
	on_event_configure(on_event, program, 10);
	on_event_tell(on_event, "link-up", values, 4);
	await_run(1);
	read_output(text, sizeof(text));
	assert_string_equal(text, "link-up|dsl|none|none|a b \"c\" $d|Z|\n");
	unsetenv("HAWSER_STATE");
}

/* Where a portal's page is, and 64 exits with names of 255 bytes. */
static void a_value_is_whole(void **state)
{
	static const size_t lengths[] = {505, EVENT_TEXT_MAX, 16384};

	write_program("printf %s \"$HAWSER_TEXT\" > output; echo >> output");
	on_event_configure(on_event, program, 10);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		char *value = calloc(1, lengths[i] + 2), *got = calloc(1, lengths[i] + 2);
		const struct hook_value values[] = {{"TEXT", value}};

		assert_true(value && got);
		memset(value, 'a', lengths[i]);
		unlink(output);
		on_event_tell(on_event, "x", values, 1);
		await_lines(i + 1, 1);
		read_output(got, lengths[i] + 2);
		value[lengths[i]] = '\n';
		assert_string_equal(got, value);
		/* What is kept tells that it is not. */
		value[EVENT_TEXT_MAX - 4] = '\0';
		assert_memory_equal(on_event_past(on_event, i)->text, value, EVENT_TEXT_MAX - 4);
		assert_string_equal(on_event_past(on_event, i)->text + EVENT_TEXT_MAX - 4, "...");
		free(value);
		free(got);
	}
	(void)state;
}

static void one_at_a_time(void **state)
{
	(void)state;
	write_program("mkdir busy || echo two >> output; sleep 0.02; rmdir busy; "
		      "echo $HAWSER_EVENT >> output");
	on_event_configure(on_event, program, 10);
	for (int i = 0; i < 3; i++) {
		on_event_tell(on_event, "first", NULL, 0);
		on_event_tell(on_event, "second", NULL, 0);
	}
	await_run(6);
	char text[256];

	read_output(text, sizeof(text));
	assert_string_equal(text, "first\nsecond\nfirst\nsecond\nfirst\nsecond\n");
}

static void what_waits_is_bounded(void **state)
{
	(void)state;
	write_program("echo >> output");
	on_event_configure(on_event, program, 10);
	for (int i = 0; i < 3 + HOOKS_WAITING_MAX; i++)
		on_event_tell(on_event, "x", NULL, 0);
	assert_int_equal(on_event_state(on_event).waiting, HOOKS_WAITING_MAX);
	assert_int_equal(on_event_state(on_event).dropped, 2);
	await_run(1 + HOOKS_WAITING_MAX);
	on_event_tell(on_event, "x", NULL, 0);
	await_run(2 + HOOKS_WAITING_MAX);
	assert_int_equal(on_event_state(on_event).dropped, 2);
}

/* Whether it still runs: nobody may have waited for it. */
static bool runs(int pid)
{
	char path[64], state = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	(void)!fscanf(file, "%*d %*s %c", &state);
	fclose(file);
	return state != 'Z';
}

/* With all that it has started, whatever it thinks of signals; then comes the next. */
static void who_hangs_is_killed(void **state)
{
	const double started_s = clock_monotonic_s();
	char text[64];
	FILE *file;
	int pid = 0;

	(void)state;
	write_program("trap '' TERM HUP INT\n"
		      "[ $HAWSER_EVENT = next ] || { sleep 100 & echo $! > pid; sleep 100; }\n"
		      "echo \"$HAWSER_EVENT\" >> output");
	on_event_configure(on_event, program, DEADLINE_S);
	ev_now_update(
		loop); /* as in a callback; else the time since the last test is a part of it */
	on_event_tell(on_event, "hang", NULL, 0);
	on_event_configure(on_event, program, WAIT_S);
	on_event_tell(on_event, "next", NULL, 0);
	await_lines(2, 1);
	assert_true(clock_monotonic_s() - started_s >= DEADLINE_S);
	assert_int_equal(on_event_state(on_event).failed, 1);
	read_output(text, sizeof(text));
	assert_string_equal(text, "next\n");
	file = fopen("pid", "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	pid = (int)strtol(text, NULL, 10);
	assert_true(pid > 1);
	fclose(file);
	unlink("pid");
	while (runs(pid) && clock_monotonic_s() - started_s < WAIT_S)
		usleep(10000);
	assert_false(runs(pid));
}

static void failures_are_counted(void **state)
{
	(void)state;
	write_program("echo >> output; exit 3");
	on_event_configure(on_event, program, 10);
	on_event_tell(on_event, "x", NULL, 0);
	await_run(1);
	await_failure();
	unlink(program);
	on_event_tell(on_event, "x", NULL, 0);
	assert_int_equal(on_event_state(on_event).failed, 2);
	assert_int_equal(on_event_state(on_event).run, 2);
	/* And it is tried again the next time. */
	write_program("echo >> output");
	on_event_tell(on_event, "x", NULL, 0);
	await_lines(3, 2);
	assert_int_equal(on_event_state(on_event).failed, 2);
}

static void without_a_program_nothing_waits(void **state)
{
	(void)state;
	on_event_tell(NULL, "x", NULL, 0);
	on_event_tell(on_event, "x", NULL, 0);
	write_program("sleep 100");
	on_event_configure(on_event, program, 10);
	on_event_tell(on_event, "x", NULL, 0);
	on_event_tell(on_event, "x", NULL, 0);
	assert_int_equal(on_event_state(on_event).waiting, 1);
	on_event_configure(on_event, NULL, 10);
	assert_int_equal(on_event_state(on_event).waiting, 0);
	assert_string_equal(on_event_state(on_event).program, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_program_is_told, open_it, close_it),
		cmocka_unit_test_setup_teardown(a_value_is_whole, open_it, close_it),
		cmocka_unit_test_setup_teardown(one_at_a_time, open_it, close_it),
		cmocka_unit_test_setup_teardown(what_waits_is_bounded, open_it, close_it),
		cmocka_unit_test_setup_teardown(who_hangs_is_killed, open_it, close_it),
		cmocka_unit_test_setup_teardown(failures_are_counted, open_it, close_it),
		cmocka_unit_test_setup_teardown(without_a_program_nothing_waits, open_it, close_it),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
