/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks that jump, more clients than there is room for, and texts that are damaged. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "history/history.h"
#include "history/history_file.h"
#include "history/history_text.h"

#define HOUR 495000
#define DAY  (HOUR / 24)
/* What hawser.conf(5) states. */
#define MEMORY_MAX ((size_t)1300000)
#define FILE_MAX   ((size_t)2000000)

static struct history *history;

static int begin(void **state)
{
	(void)state;
	history = history_new();
	return history ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	history_free(history);
	return 0;
}

static struct history_time at(uint32_t hour)
{
	return (struct history_time){.hour = hour, .day = hour / 24};
}

static void add(const char *name, uint32_t hour, uint64_t up, uint64_t down)
{
	assert_int_equal(history_add(history, HISTORY_CLIENT, name, "192.0.2.1", at(hour),
				     (struct history_bytes){.up = up, .down = down}),
			 0);
}

static const struct history_series *find(const struct history *in, const char *name)
{
	size_t count;
	const struct history_series *list = history_list(in, HISTORY_CLIENT, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

static uint64_t up_of(const char *name, enum history_unit unit, uint32_t now, uint32_t last)
{
	return history_sum(find(history, name), unit, now, last).up;
}

static void hours_and_days(void **state)
{
	(void)state;
	for (uint32_t hour = HOUR; hour < HOUR + 100 * 24; hour++)
		add("a", hour, 1, 2);
	const uint32_t now = HOUR + 100 * 24 - 1;

	assert_int_equal(up_of("a", HISTORY_HOUR, now, HISTORY_HOURS), 48);
	assert_int_equal(up_of("a", HISTORY_HOUR, now, 1), 1);
	assert_int_equal(up_of("a", HISTORY_DAY, now / 24, HISTORY_DAYS), 90 * 24);
	assert_int_equal(history_sum(find(history, "a"), HISTORY_DAY, now / 24, 1).down, 48);
	/* Of older ones there is nothing. */
	assert_int_equal(up_of("a", HISTORY_DAY, now / 24 - 90, 1), 0);
	assert_string_equal(find(history, "a")->address, "192.0.2.1");
	/* Time goes on without anything. */
	assert_int_equal(up_of("a", HISTORY_HOUR, now + 47, HISTORY_HOURS), 1);
	assert_int_equal(up_of("a", HISTORY_HOUR, now + 48, HISTORY_HOURS), 0);
}

/* Forth and back, and back and forth: nothing is lost, and what was put elsewhere goes in time. */
static void a_clock_that_jumps(void **state)
{
	/* In hours; the first is 400 days. */
	static const int64_t jumps[] = {9600, -490000, 3, -3};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const uint32_t wrong = (uint32_t)(HOUR + jumps[i]);
		char name[8];

		snprintf(name, sizeof(name), "c%zu", i);
		for (uint32_t ago = HISTORY_HOURS; ago-- > 10;)
			add(name, HOUR - ago, 1, 0);
		for (uint32_t hour = 0; hour < 2; hour++)
			add(name, wrong + hour, 1000, 0);
		for (uint32_t ago = 10; ago-- > 0;)
			add(name, HOUR - ago, 1, 0);
		/* The oldest two hours had to go where the wrong ones are hours of their own. */
		if (i < 2)
			assert_int_equal(up_of(name, HISTORY_HOUR, HOUR, HISTORY_HOURS), 46);
		else if (i == 2)
			assert_int_equal(up_of(name, HISTORY_HOUR, HOUR, HISTORY_HOURS), 46);
		else
			assert_int_equal(up_of(name, HISTORY_HOUR, HOUR, HISTORY_HOURS), 2048);
		if (i < 2)
			assert_int_equal(up_of(name, HISTORY_DAY, DAY, HISTORY_DAYS), 48);
		for (uint32_t hour = 1; hour <= HISTORY_HOURS; hour++)
			add(name, HOUR + hour + 4, 1, 0);
		assert_int_equal(find(history, name)->slots[HISTORY_HOUR].count, HISTORY_HOURS);
		assert_int_equal(up_of(name, HISTORY_HOUR, wrong, 2), 0);
	}
}

static uint64_t total(const struct history *of)
{
	size_t count;
	const struct history_series *list = history_list(of, HISTORY_CLIENT, &count);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += history_sum(&list[i], HISTORY_DAY, DAY + 1, 3).up;
	return sum;
}

/* Of all clients, without what malloc() adds. */
static size_t memory_of(const struct history *of)
{
	size_t count;
	const struct history_series *list = history_list(of, HISTORY_CLIENT, &count);
	size_t sum = count * sizeof(*list);

	for (size_t i = 0; i < count; i++) {
		sum += strlen(list[i].name) + strlen(list[i].address) + 2;
		for (enum history_unit unit = 0; unit < HISTORY_UNITS; unit++)
			sum += list[i].slots[unit].size * sizeof(struct history_slot);
	}
	return sum;
}

static void is_full_with_one_others(uint64_t expected)
{
	size_t count, others = 0;
	const struct history_series *list = history_list(history, HISTORY_CLIENT, &count);

	for (size_t i = 0; i < count; i++)
		others += strcmp(list[i].name, HISTORY_OTHERS) == 0;
	assert_int_equal(count, HISTORY_CLIENTS_MAX + 1);
	assert_int_equal(others, 1);
	assert_int_equal(total(history), expected);
}

/* As a worker counts them for whom it had no room: they take nobody's place, whatever they bring.
 */
static void others_come_to_a_full_table(void **state)
{
	const uint64_t much = UINT64_C(1) << 40;
	char name[32];

	(void)state;
	for (uint32_t i = 0; i < HISTORY_CLIENTS_MAX; i++) {
		snprintf(name, sizeof(name), "client%u", i);
		add(name, HOUR, 1, 0);
	}
	add(HISTORY_OTHERS, HOUR, much, 0);
	is_full_with_one_others(HISTORY_CLIENTS_MAX + much);
	for (uint32_t i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "heavy%u", i);
		add(name, HOUR, 1000, 0);
		assert_non_null(find(history, name));
		is_full_with_one_others(HISTORY_CLIENTS_MAX + much + (i + UINT64_C(1)) * 1000);
	}
}

/* The same, from what another hawserd has written. */
static void others_are_merged_into_a_full_table(void **state)
{
	struct history *full = history;
	char name[32];

	(void)state;
	history = history_new();
	assert_non_null(history);
	add(HISTORY_OTHERS, HOUR, 1000, 0);
	add("new", HOUR, 2000, 0);
	for (uint32_t i = 0; i < HISTORY_CLIENTS_MAX; i++) {
		snprintf(name, sizeof(name), "client%u", i);
		assert_int_equal(history_add(full, HISTORY_CLIENT, name, NULL, at(HOUR),
					     (struct history_bytes){.up = 1}),
				 0);
	}
	assert_int_equal(history_merge(full, history), 0);
	history_free(history);
	history = full;
	is_full_with_one_others(HISTORY_CLIENTS_MAX + 3000);
	assert_non_null(find(history, "new"));
}

/* No byte is lost, those who use much keep their names, and memory and file have their bounds. */
static void ten_thousand_clients_in_a_day(void **state)
{
	uint64_t expected = 0;
	char name[32];
	size_t count;
	char *text;

	(void)state;
	for (uint32_t hour = 0; hour < 24; hour++) {
		for (uint32_t i = 0; i < 10000 / 24 + 1; i++) {
			const uint32_t number = hour * (10000 / 24 + 1) + i;

			snprintf(name, sizeof(name), "10.%u.%u.1", number / 250, number % 250);
			add(name, HOUR + hour, 1 + number % 7, 0);
			expected += 1 + number % 7;
		}
		for (int i = 0; i < 20; i++) {
			snprintf(name, sizeof(name), "heavy%d", i);
			add(name, HOUR + hour, 1000000, 0);
			expected += 1000000;
		}
	}
	history_list(history, HISTORY_CLIENT, &count);
	assert_int_equal(count, HISTORY_CLIENTS_MAX + 1);
	assert_int_equal(total(history), expected);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "heavy%d", i);
		assert_non_null(find(history, name));
		assert_int_equal(history_sum(find(history, name), HISTORY_DAY, DAY + 1, 3).up,
				 24 * 1000000ULL);
	}
	assert_non_null(find(history, HISTORY_OTHERS));
	/* And all of them in use for 90 days. */
	for (uint32_t hour = 24; hour < 90 * 24; hour++)
		for (uint32_t i = 0; i < HISTORY_CLIENTS_MAX + 1; i += 1 + (hour % 24 > 0)) {
			snprintf(name, sizeof(name), "busy%u", i);
			add(name, HOUR + hour, UINT64_C(1234567890123), UINT64_C(1234567890123));
		}
	assert_true(memory_of(history) < MEMORY_MAX);
	text = history_text_write(history);
	assert_non_null(text);
	assert_true(strlen(text) < FILE_MAX);
	free(text);
}

static void names_of_all_kinds(void **state)
{
	static const char *const names[] = {"a b", "%", "-", "h 1 2 3", "end", "a%20\n\x7f\xff",
					    "x"};
	struct history *copy = history_new();
	const struct history_bytes bytes = {.up = 5, .down = UINT64_MAX};
	unsigned int line;
	char *text, *again;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(history_add(history, (enum history_kind)(i % 3), names[i],
					     i % 2 ? names[i] : NULL, at(HOUR), bytes),
				 0);
	text = history_text_write(history);
	assert_int_equal(history_text_read(copy, text, &line), 0);
	assert_int_equal(line, 0);
	again = history_text_write(copy);
	assert_string_equal(again, text);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t count;
		const struct history_series *list =
			history_list(copy, (enum history_kind)(i % 3), &count);

		assert_string_equal(list[i / 3].name, names[i]);
	}
	free(text);
	free(again);
	history_free(copy);
}

/* Cut anywhere, and with any byte changed: what can be read is read, and the line is told. */
static void damaged(void **state)
{
	unsigned int line;
	size_t len;
	char *text;

	(void)state;
	add("a", HOUR, 1, 2);
	add("b c", HOUR, 3, 4);
	text = history_text_write(history);
	len = strlen(text);
	for (size_t cut = 0; cut < len; cut++) {
		struct history *copy = history_new();
		char *part = strndup(text, cut);

		assert_int_equal(history_text_read(copy, part, &line), 0);
		assert_true(line > 0);
		free(part);
		history_free(copy);
	}
	for (size_t i = 0; i < len; i++) {
		const char kept = text[i];

		for (int value = 1; value < 256; value += 7) {
			struct history *copy = history_new();

			text[i] = (char)value;
			assert_int_equal(history_text_read(copy, text, &line), 0);
			history_free(copy);
		}
		text[i] = kept;
	}
	free(text);
}

static void what_is_damaged_is_told(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
	} cases[] = {
		{"", 1},
		{"hawser-history 2\nend\n", 1},
		{"hawser-history 1\nend\n", 0},
		{"hawser-history 1\nh 1 2 3\nend\n", 2},
		{"hawser-history 1\nclient a -\nh 1 2\nend\n", 3},
		{"hawser-history 1\nclient a -\nh 1 2 3 4\nend\n", 3},
		{"hawser-history 1\nclient a -\nh 4294967296 2 3\nend\n", 3},
		{"hawser-history 1\nclient a -\nh 1 -2 3\nend\n", 3},
		{"hawser-history 1\nclient a -\nh 1 18446744073709551616 3\nend\n", 3},
		{"hawser-history 1\nclient a -\nh 1 2 3\nend\nclient b", 0},
		{"hawser-history 1\nclient a%0 -\nend\n", 2},
		{"hawser-history 1\nclient a%00 -\nend\n", 2},
		{"hawser-history 1\nclient - -\nend\n", 2},
		{"hawser-history 1\nnobody a -\nend\n", 2},
		{"hawser-history 1\nclient a\nend\n", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned int line;

		assert_int_equal(history_text_read(history, cases[i].text, &line), 0);
		assert_int_equal(line, cases[i].line);
	}
}

/* One adds to it at a time, and what is half written is nothing. */
static void in_a_file(void **state)
{
	char directory[] = "/tmp/history_test.XXXXXX", path[64], lock_path[64];
	struct history *read = history_new();
	FILE *half;
	int lock;

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(history_file_check(directory), 0);
	assert_int_equal(history_file_read(directory, read), 0);
	add("a", HOUR, 1, 2);
	snprintf(lock_path, sizeof(lock_path), "%s/history.lock", directory);
	lock = open(lock_path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(history_file_add(directory, history), -EWOULDBLOCK);
	assert_int_equal(history_file_check(directory), 0);
	close(lock);
	assert_int_equal(history_file_add(directory, history), 0);
	snprintf(path, sizeof(path), "%s/history.hawser-new", directory);
	half = fopen(path, "we");
	assert_non_null(half);
	fputs("hawser-history 1\nclient a", half);
	fclose(half);
	assert_int_equal(history_file_add(directory, history), 0);
	assert_int_equal(history_file_read(directory, read), 0);
	assert_int_equal(history_sum(find(read, "a"), HISTORY_HOUR, HOUR, 1).down, 4);
	assert_string_equal(find(read, "a")->address, "192.0.2.1");
	history_free(read);
	unlink(path);
	snprintf(path, sizeof(path), "%s/history", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(lock_path), 0);
	assert_int_equal(rmdir(directory), 0);
}

/* Days are those of the wall, also where summer time makes one of 23 hours. */
static void days_are_local(void **state)
{
	char text[HISTORY_DAY_TEXT_MAX];

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	/* 2026-03-28 23:30 and, an hour later, 2026-03-29 00:30. */
	const struct history_time before = history_time_at(UINT64_C(1774737000000));
	const struct history_time after = history_time_at(UINT64_C(1774740600000));

	history_day_text(before.day, text);
	assert_string_equal(text, "2026-03-28");
	history_day_text(after.day, text);
	assert_string_equal(text, "2026-03-29");
	assert_int_equal(after.hour, before.hour + 1);
	/* The day after the one that is short: 2026-03-30 00:10 CEST. */
	history_day_text(history_time_at(UINT64_C(1774822200000)).day, text);
	assert_string_equal(text, "2026-03-30");
	unsetenv("TZ");
	tzset();
}

/* As by a hawserd that remembered more clients. Each line of one that has no place used to look for
 * who had carried the least. */
static void too_many_are_read_back_soon(void **state)
{
	const struct history_slot slot = {.label = HOUR, .bytes = {.up = 1, .down = 2}};
	char name[32];

	(void)state;
	for (int client = 0; client < 4 * HISTORY_CLIENTS_MAX; client++) {
		snprintf(name, sizeof(name), "client-%d", client);
		for (int line = 0; line < 200; line++)
			assert_int_equal(history_restore(history, HISTORY_CLIENT, name, "",
							 HISTORY_HOUR, &slot),
					 0);
	}
	assert_int_equal(find(history, "client-0")->slots[HISTORY_HOUR].slot[0].bytes.up, 200);
	assert_int_equal(find(history, HISTORY_OTHERS)->slots[HISTORY_HOUR].slot[0].bytes.up,
			 3 * HISTORY_CLIENTS_MAX * 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(too_many_are_read_back_soon, begin, end),
		cmocka_unit_test_setup_teardown(hours_and_days, begin, end),
		cmocka_unit_test_setup_teardown(a_clock_that_jumps, begin, end),
		cmocka_unit_test_setup_teardown(ten_thousand_clients_in_a_day, begin, end),
		cmocka_unit_test_setup_teardown(others_come_to_a_full_table, begin, end),
		cmocka_unit_test_setup_teardown(others_are_merged_into_a_full_table, begin, end),
		cmocka_unit_test_setup_teardown(names_of_all_kinds, begin, end),
		cmocka_unit_test_setup_teardown(damaged, begin, end),
		cmocka_unit_test_setup_teardown(what_is_damaged_is_told, begin, end),
		cmocka_unit_test_setup_teardown(in_a_file, begin, end),
		cmocka_unit_test(days_are_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
