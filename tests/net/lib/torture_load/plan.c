/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Draws what the ends of a session do: sizes, pauses, exchanges, slow readers, and how it ends. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "load.h"

#define KIB	  ((uint64_t)1024)
#define MIB	  (1024 * KIB)
#define WRITE_MAX (256 * KIB)

/* Of what is brief. */
#define BRIEF_BYTES   (64 * KIB)
#define BRIEF_MESSAGE (2 * KIB)
#define BRIEF_ROUNDS  30
#define BRIEF_DIVISOR 10 /* of stalls */

/* Small writes are for small steps. Thousands of tiny ones under way stall MPTCP by itself (see
 * test_exact.py). */
#define WRITES_PER_STEP 200

#define WAVE_SESSIONS 400

/* A kernel that accepts a subflow while the stream's reader is in recv() may deliver wrong bytes
 * (docs/kernel-notes.md). So the client says a byte, then waits until the subflows should be there.
 */
#define JOIN_US 100000

/* A throttled reader shall be done after some seconds at most. */
#define READS_THROTTLED 400

struct dice dice_new(uint64_t seed, uint64_t number)
{
	/* splitmix64 makes neighbours differ. */
	uint64_t x = seed + (number + 1) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	x ^= x >> 31;
	return (struct dice){.state = x ? x : 1};
}

uint64_t dice_below(struct dice *dice, uint64_t end)
{
	dice->state ^= dice->state >> 12;
	dice->state ^= dice->state << 25;
	dice->state ^= dice->state >> 27;
	return (dice->state * 0x2545f4914f6cdd1dULL >> 16) % end;
}

static bool percent(struct dice *dice, unsigned int chance)
{
	return dice_below(dice, 100) < chance;
}

static uint64_t between(struct dice *dice, uint64_t low, uint64_t high)
{
	return low + dice_below(dice, high - low + 1);
}

/* From low to about high; each power of two is as likely as the next. */
static uint64_t spread(struct dice *dice, uint64_t low, uint64_t high)
{
	unsigned int doublings = 0;

	while (low << (doublings + 1) <= high)
		doublings++;
	low <<= dice_below(dice, doublings + 1);
	return between(dice, low, 2 * low < high ? 2 * low : high);
}

/* Bulk fills the queues of the links and makes every exchange slow. So it comes in waves, and
 * between them the exchanges have the machine for themselves. */
static bool calm(const struct plan *plan)
{
	return plan->number / WAVE_SESSIONS % 2;
}

static uint64_t bulk_bytes(const struct plan *plan, struct dice *dice)
{
	uint64_t die = dice_below(dice, calm(plan) ? 600 : 1000);

	if (die < 150)
		return 0;
	if (die < 250)
		return 1;
	if (settings.brief)
		return spread(dice, 2, BRIEF_BYTES);
	if (die < 600)
		return spread(dice, 2, 16 * KIB);
	if (die < 900)
		return spread(dice, 16 * KIB, MIB);
	if (die < 990)
		return spread(dice, MIB, 4 * MIB);
	return spread(dice, 8 * MIB, 48 * MIB);
}

static uint32_t pause_us(struct dice *dice, unsigned int chance)
{
	return percent(dice, chance) ? (uint32_t)spread(dice, 100, 200000) : 0;
}

static struct step *add_step(struct script *script, struct dice *dice, uint64_t bytes)
{
	uint64_t smallest = bytes / WRITES_PER_STEP + 1;
	struct step *step;

	if (smallest > WRITE_MAX)
		smallest = WRITE_MAX;
	script->steps = realloc(script->steps, (script->count + 1) * sizeof(*step));
	if (!script->steps)
		die("no memory");
	step = &script->steps[script->count++];
	*step = (struct step){.bytes = bytes,
			      .write_max = (uint32_t)spread(dice, smallest, WRITE_MAX)};
	if (bytes / step->write_max < 20 && percent(dice, 10))
		step->gap_us = (uint32_t)spread(dice, 100, 20000);
	script->total += bytes;
	return step;
}

/* Both directions at once, or the server's bytes as the answer to the client's. */
static void act_bulk(struct plan *plan, struct dice *dice)
{
	struct script *client = &plan->scripts[SIDE_CLIENT];
	struct script *server = &plan->scripts[SIDE_SERVER];
	uint64_t before = server->total;
	uint64_t up = bulk_bytes(plan, dice);
	uint64_t down = bulk_bytes(plan, dice);
	bool in_turn = percent(dice, 30);
	struct step *step;

	if (up > 0) {
		step = add_step(client, dice, up);
		step->pause_us = pause_us(dice, 30);
		step->after_received = in_turn ? before : 0;
	}
	if (down > 0) {
		step = add_step(server, dice, down);
		step->pause_us = pause_us(dice, 30);
		step->after_received = in_turn ? client->total : 0;
	}
}

/* Requests, and a response to each. Every gate names bytes that an earlier step sends, so no two
 * ends ever wait for each other. */
static void act_chat(struct plan *plan, struct dice *dice)
{
	struct script *client = &plan->scripts[SIDE_CLIENT];
	struct script *server = &plan->scripts[SIDE_SERVER];
	const uint64_t largest = settings.brief ? BRIEF_MESSAGE : 16 * KIB;
	uint64_t request = spread(dice, 64, largest);
	uint64_t response = spread(dice, 64, largest);
	uint64_t rounds = spread(dice, 1, settings.brief ? BRIEF_ROUNDS : 400);
	unsigned int pauses = percent(dice, 20) ? 10 : 0;

	for (uint64_t i = 0; i < rounds; i++) {
		struct step *step = add_step(client, dice, request);

		step->after_received = server->total;
		step->pause_us = pause_us(dice, pauses);
		step->gap_us = 0;
		step->write_max = WRITE_MAX;
		step = add_step(server, dice, response);
		step->after_received = client->total;
		step->gap_us = 0;
		step->write_max = WRITE_MAX;
	}
	plan->exchanges += rounds;
}

static void draw_reading(struct script *script, uint64_t total, bool mptcp, struct dice *dice)
{
	uint64_t smallest = total / READS_THROTTLED + 1;

	script->read_max = WRITE_MAX;
	if (percent(dice, 20))
		script->read_max = (uint32_t)spread(
			dice, smallest < WRITE_MAX ? smallest : WRITE_MAX, WRITE_MAX);
	if (percent(dice, 20) && total / script->read_max <= READS_THROTTLED)
		script->read_pause_us = (uint32_t)spread(dice, 100, 5000);
	if (percent(dice, 10)) {
		script->stall_at = dice_below(dice, total + 1);
		script->stall_us = (uint32_t)between(dice, 200000, 1200000) /
				   (settings.brief ? BRIEF_DIVISOR : 1);
	}
	/* A small buffer can stall MPTCP with two subflows for good, whatever hawserd does. */
	if (!mptcp && percent(dice, 15))
		script->small_buffer = (int)spread(dice, 8 * KIB, 128 * KIB);
	script->nodelay = percent(dice, 90);
}

static void draw_streams(struct plan *plan, struct dice *dice)
{
	uint64_t acts = between(dice, 1, 3);
	enum side first = (enum side)dice_below(dice, SIDE_COUNT);

	if (plan->client_mptcp || plan->server_mptcp)
		add_step(&plan->scripts[SIDE_CLIENT], dice, 1);
	for (uint64_t i = 0; i < acts; i++) {
		if (percent(dice, calm(plan) ? 80 : 30))
			act_chat(plan, dice);
		else
			act_bulk(plan, dice);
	}
	/* One ends its stream at the very start, and the other goes on. */
	if (percent(dice, 8)) {
		struct script *silent = &plan->scripts[first];
		struct script *other = &plan->scripts[!first];

		silent->count = 0;
		silent->total = 0;
		plan->exchanges = 0;
		for (size_t i = 0; i < other->count; i++)
			other->steps[i].after_received = 0;
	}
	/* One has ended, and the other goes on. */
	if (percent(dice, 25)) {
		struct step *step =
			add_step(&plan->scripts[!first], dice, bulk_bytes(plan, dice) + 1);

		step->after_eof = true;
		step->pause_us = pause_us(dice, 50);
	}
	if ((plan->client_mptcp || plan->server_mptcp) && plan->scripts[SIDE_CLIENT].count > 1)
		plan->scripts[SIDE_CLIENT].steps[1].pause_us += JOIN_US;
}

static void draw_reset(struct plan *plan, struct dice *dice)
{
	enum side side = (enum side)dice_below(dice, SIDE_COUNT);

	plan->resetter = side;
	switch (dice_below(dice, 3)) {
	case 0:
		plan->reset_sent = dice_below(dice, plan->scripts[side].total + 1);
		break;
	case 1:
		plan->reset_received = dice_below(dice, plan->scripts[!side].total + 1);
		break;
	default:
		plan->reset_after_us = spread(dice, 1, 500000);
	}
}

void plan_draw(struct plan *plan, uint64_t seed, uint64_t number, bool mptcp, bool server_mptcp)
{
	struct dice dice = dice_new(seed, number);
	uint64_t die = dice_below(&dice, 100);

	*plan = (struct plan){.number = number,
			      .server_mptcp = server_mptcp,
			      .reset_sent = UINT64_MAX,
			      .reset_received = UINT64_MAX,
			      .reset_after_us = UINT64_MAX};
	plan->kind = die < 70	? PLAN_ORDERLY
		     : die < 92 ? PLAN_RESET
		     : die < 96 ? PLAN_REFUSED
				: PLAN_LEAVE;
	plan->client_mptcp = mptcp && percent(&dice, 50);
	plan->eager = percent(&dice, 50);
	plan->scripts[SIDE_CLIENT].key = number * SIDE_COUNT;
	plan->scripts[SIDE_SERVER].key = number * SIDE_COUNT + 1;
	if (plan->kind == PLAN_LEAVE || plan->kind == PLAN_REFUSED) {
		add_step(&plan->scripts[SIDE_CLIENT], &dice, between(&dice, 1, 2000));
		/* Who takes these bytes does not know whose they are. */
		plan->scripts[SIDE_CLIENT].key = 0;
		plan->leave_after = dice_below(&dice, 2ULL * greeting_bytes());
		plan->eager |= plan->kind == PLAN_LEAVE;
		plan->reset_after_us =
			plan->kind == PLAN_LEAVE ? dice_below(&dice, 20000) : UINT64_MAX;
	} else {
		draw_streams(plan, &dice);
	}
	if (plan->kind == PLAN_RESET)
		draw_reset(plan, &dice);
	draw_reading(&plan->scripts[SIDE_CLIENT], plan->scripts[SIDE_SERVER].total,
		     plan->client_mptcp, &dice);
	draw_reading(&plan->scripts[SIDE_SERVER], plan->scripts[SIDE_CLIENT].total,
		     plan->server_mptcp, &dice);
}

void plan_free(struct plan *plan)
{
	for (int side = 0; side < SIDE_COUNT; side++) {
		free(plan->scripts[side].steps);
		plan->scripts[side] = (struct script){0};
	}
}

const char *plan_kind_name(enum plan_kind kind)
{
	static const char *const names[PLAN_KIND_COUNT] = {[PLAN_ORDERLY] = "orderly",
							   [PLAN_RESET] = "reset",
							   [PLAN_REFUSED] = "refused",
							   [PLAN_LEAVE] = "leave"};

	return names[kind];
}
