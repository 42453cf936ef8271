/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows that share a rate, in a time that passes as the test says. */
#include "shared/fair_rate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RATE	  1000000
#define GREEDY	  20
#define STEP_S	  0.001
#define FLOWS_MAX 200

/* Takes `piece` bytes of each turn; every pause_s there is something to take. */
struct flow {
	struct fair_share share;
	size_t piece; /* SIZE_MAX: all of it */
	double pause_s;
	double wants_s; /* since when there is something to take */
	double next_s;	/* when to ask */
	double worst_s; /* wait */
	uint64_t moved;
	double until_s; /* then it ends */
};

struct line {
	struct fair_rate fair;
	struct flow flows[FLOWS_MAX];
	size_t count;
	uint64_t rate;
	double now_s;
};

static struct flow *add(struct line *line, size_t piece, double pause_s)
{
	struct flow *flow = &line->flows[line->count++];

	*flow = (struct flow){.piece = piece,
			      .pause_s = pause_s,
			      .wants_s = line->now_s,
			      .next_s = line->now_s,
			      .until_s = 1e9};
	return flow;
}

static void look(struct line *line, struct flow *flow)
{
	size_t bytes;
	double wait_s;

	if (line->now_s < flow->next_s)
		return;
	if (line->now_s >= flow->until_s) {
		fair_rate_leave(&line->fair, &flow->share);
		return;
	}
	wait_s = fair_rate_ask(&line->fair, &flow->share, line->rate, line->now_s, &bytes);
	flow->next_s = line->now_s + wait_s;
	if (wait_s > 0)
		return;
	if (line->now_s - flow->wants_s > flow->worst_s)
		flow->worst_s = line->now_s - flow->wants_s;
	bytes = bytes < flow->piece ? bytes : flow->piece;
	fair_rate_settle(&line->fair, &flow->share, line->rate, bytes);
	flow->moved += bytes;
	flow->next_s = flow->wants_s = line->now_s + flow->pause_s;
}

/* Timers are a millisecond late, and who looks first is nobody's choice. */
static void pass(struct line *line, double seconds)
{
	const size_t steps = (size_t)(seconds / STEP_S);

	for (size_t step = 0; step < steps; step++) {
		for (size_t i = 0; i < line->count; i++)
			look(line, &line->flows[(i + step) % line->count]);
		line->now_s += STEP_S;
	}
}

static uint64_t sum(const struct line *line)
{
	uint64_t moved = 0;

	for (size_t i = 0; i < line->count; i++)
		moved += line->flows[i].moved;
	return moved;
}

static struct line *begin(uint64_t rate)
{
	static struct line line;

	line = (struct line){.rate = rate, .now_s = 1000};
	fair_rate_init(&line.fair);
	return &line;
}

/* And a burst of a tenth of a second, and a turn. */
static void assert_exact(uint64_t moved, uint64_t rate, double seconds)
{
	assert_in_range(moved, (uint64_t)((double)rate * seconds * 0.99),
			(uint64_t)((double)rate * (seconds + 0.12)) + 1024);
}

static void the_sum_is_exact(void **state)
{
	const uint64_t rates[] = {100000, RATE, 50000000};

	(void)state;
	for (size_t r = 0; r < 3; r++)
		for (size_t count = 1; count <= 150; count = count * 5 + 2) {
			struct line *line = begin(rates[r]);

			for (size_t i = 0; i < count; i++)
				add(line, SIZE_MAX, 0);
			/* Of turns of at most 256 KiB, so many fit into a second of steps. */
			pass(line, 20);
			assert_exact(sum(line), rates[r], 20);
		}
}

static void greedy_ones_get_the_same(void **state)
{
	struct line *line = begin(RATE);

	(void)state;
	for (int i = 0; i < GREEDY; i++)
		add(line, SIZE_MAX, 0);
	pass(line, 20);
	for (int i = 0; i < GREEDY; i++)
		assert_in_range(line->flows[i].moved, RATE * 0.9, RATE * 1.1);
}

static void small_ones_go_first(void **state)
{
	const size_t counts[] = {1, 10, 50};

	(void)state;
	for (size_t c = 0; c < 3; c++) {
		struct line *line = begin(RATE);

		for (int i = 0; i < GREEDY; i++)
			add(line, SIZE_MAX, 0);
		pass(line, 1);
		for (size_t i = 0; i < counts[c]; i++)
			add(line, i % 2 ? 1 : 500, 0.1);
		pass(line, 10);
		for (size_t i = GREEDY; i < line->count; i++)
			assert_true(line->flows[i].worst_s <= 0.05);
		assert_exact(sum(line), RATE, 11);
	}
}

static void what_some_leave_the_others_get(void **state)
{
	struct line *line = begin(RATE);

	(void)state;
	for (int i = 0; i < GREEDY; i++)
		add(line, SIZE_MAX, 0)->until_s = line->now_s + 5;
	struct flow *last = add(line, SIZE_MAX, 0);
	struct flow *slow = add(line, 1000, 0.1);

	pass(line, 5);
	const uint64_t before = last->moved;

	pass(line, 5);
	assert_in_range(slow->moved, 90000, 110000);
	assert_in_range(last->moved - before, (RATE - 10000) * 4.8, RATE * 5.12);
}

/* One that was idle has no claim to what it did not use, and one that comes pays for nothing. */
static void a_past_gives_no_claim(void **state)
{
	struct line *line = begin(RATE);
	struct flow *early = add(line, SIZE_MAX, 0);
	struct flow *idle = add(line, 1, 20);

	(void)state;
	pass(line, 10);
	struct flow *late = add(line, SIZE_MAX, 0);
	const uint64_t before = early->moved;

	idle->piece = SIZE_MAX;
	idle->next_s = line->now_s;
	idle->pause_s = 0;
	pass(line, 9);
	assert_in_range(early->moved - before, RATE * 2.8, RATE * 3.2);
	assert_in_range(late->moved, RATE * 2.8, RATE * 3.2);
	assert_in_range(idle->moved, RATE * 2.8, RATE * 3.2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sum_is_exact),
		cmocka_unit_test(greedy_ones_get_the_same),
		cmocka_unit_test(small_ones_go_first),
		cmocka_unit_test(what_some_leave_the_others_get),
		cmocka_unit_test(a_past_gives_no_claim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
