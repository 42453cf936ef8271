/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot has the label that the clock showed. A clock that jumps, forth or back, begins another
 * slot and is back in the old one when it is right again; what it has begun wrongly is the first to
 * go after as many others. Nothing is forgotten because the clock says that it is old. */
#include "history/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_OF_HOUR 3600
#define SECONDS_OF_DAY	86400

static const size_t slots_max[HISTORY_UNITS] = {HISTORY_HOURS, HISTORY_DAYS};
static const size_t series_max[HISTORY_KINDS] = {HISTORY_LINKS_MAX, HISTORY_EXITS_MAX,
						 HISTORY_CLIENTS_MAX};

const char *const history_kind_words[] = {"link", "exit", "client", NULL};

struct history {
	struct {
		struct history_series *series; /* one more than the maximum: the others */
		size_t count;
		size_t found; /* last: what is read back comes name by name */
	} kinds[HISTORY_KINDS];
};

struct history *history_new(void)
{
	struct history *history = calloc(1, sizeof(*history));

	for (size_t kind = 0; history && kind < HISTORY_KINDS; kind++) {
		history->kinds[kind].series =
			calloc(series_max[kind] + 1, sizeof(struct history_series));
		if (!history->kinds[kind].series) {
			history_free(history);
			return NULL;
		}
	}
	return history;
}

static void series_clear(struct history_series *series)
{
	free(series->name);
	free(series->address);
	for (size_t unit = 0; unit < HISTORY_UNITS; unit++)
		free(series->slots[unit].slot);
	*series = (struct history_series){0};
}

void history_free(struct history *history)
{
	if (!history)
		return;
	for (size_t kind = 0; kind < HISTORY_KINDS; kind++) {
		for (size_t i = 0; i < history->kinds[kind].count; i++)
			series_clear(&history->kinds[kind].series[i]);
		free(history->kinds[kind].series);
	}
	free(history);
}

static void add_bytes(struct history_bytes *sum, const struct history_bytes *more)
{
	sum->up += more->up;
	sum->down += more->down;
}

/* With one slot more at the end; the first one goes if need be. */
static int slots_grow(struct history_slots *slots, size_t most)
{
	size_t size = slots->size ? 2 * slots->size : 4;
	struct history_slot *grown;

	if (slots->count == most) {
		memmove(slots->slot, slots->slot + 1, (most - 1) * sizeof(*slots->slot));
		slots->count--;
	}
	if (slots->count == slots->size) {
		size = size < most ? size : most;
		grown = realloc(slots->slot, size * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		slots->slot = grown;
		slots->size = size;
	}
	slots->slot[slots->count++] = (struct history_slot){0};
	return 0;
}

static int series_add(struct history_series *series, enum history_unit unit,
		      const struct history_slot *slot)
{
	struct history_slots *slots = &series->slots[unit];
	size_t at = slots->count;

	while (at > 0 && slots->slot[at - 1].label != slot->label)
		at--;
	if (at == 0) {
		if (slots_grow(slots, slots_max[unit]))
			return -ENOMEM;
		at = slots->count;
		slots->slot[at - 1].label = slot->label;
	}
	add_bytes(&slots->slot[at - 1].bytes, &slot->bytes);
	return 0;
}

static struct history_series *find(struct history *history, enum history_kind kind,
				   const char *name)
{
	const size_t count = history->kinds[kind].count;

	for (size_t i = 0; i < count; i++) {
		const size_t at = (history->kinds[kind].found + i) % count;

		if (strncmp(history->kinds[kind].series[at].name, name, HISTORY_NAME_MAX) != 0)
			continue;
		history->kinds[kind].found = at;
		return &history->kinds[kind].series[at];
	}
	return NULL;
}

static int add_series(struct history *history, enum history_kind kind, const char *name,
		      struct history_series **out)
{
	char *copy = strndup(name, HISTORY_NAME_MAX);
	char *address = strdup("");

	if (!copy || !address) {
		free(copy);
		free(address);
		return -ENOMEM;
	}
	history->kinds[kind].found = history->kinds[kind].count++;
	*out = &history->kinds[kind].series[history->kinds[kind].found];
	**out = (struct history_series){.name = copy, .address = address};
	return 0;
}

static int find_others(struct history *history, enum history_kind kind, struct history_series **out)
{
	*out = find(history, kind, HISTORY_OTHERS);
	return *out ? 0 : add_series(history, kind, HISTORY_OTHERS, out);
}

static bool is_others(const struct history_series *series)
{
	return strcmp(series->name, HISTORY_OTHERS) == 0;
}

static int merge_series(struct history_series *series, const struct history_series *more)
{
	int err = 0;

	for (enum history_unit unit = 0; unit < HISTORY_UNITS; unit++)
		for (size_t i = 0; !err && i < more->slots[unit].count; i++)
			err = series_add(series, unit, &more->slots[unit].slot[i]);
	return err;
}

static uint64_t carried(const struct history_series *series)
{
	const struct history_slots *days = &series->slots[HISTORY_DAY];
	uint64_t sum = 0;

	for (size_t i = 0; i < days->count; i++)
		sum += days->slot[i].bytes.up + days->slot[i].bytes.down;
	return sum;
}

static bool carried_in(const struct history_series *series, uint32_t hour)
{
	const struct history_slots *hours = &series->slots[HISTORY_HOUR];

	return hours->count > 0 && hours->slot[hours->count - 1].label == hour;
}

/* Of those that make room for one that brings so much; NULL: all are in use. */
static struct history_series *find_least(struct history *history, enum history_kind kind,
					 uint32_t hour, uint64_t brings)
{
	struct history_series *least = NULL;
	uint64_t least_bytes = UINT64_MAX;

	for (size_t i = 0; i < history->kinds[kind].count; i++) {
		struct history_series *series = &history->kinds[kind].series[i];
		const uint64_t bytes = carried(series);

		if (is_others(series) || bytes >= least_bytes ||
		    (carried_in(series, hour) && bytes >= brings))
			continue;
		least = series;
		least_bytes = bytes;
	}
	return least;
}

static bool has_room(const struct history *history, enum history_kind kind)
{
	size_t count = history->kinds[kind].count;

	for (size_t i = 0; i < history->kinds[kind].count; i++)
		count -= is_others(&history->kinds[kind].series[i]);
	return count < series_max[kind];
}

/* Where so many bytes of this name go. */
static int place(struct history *history, enum history_kind kind, const char *name, uint32_t hour,
		 uint64_t brings, struct history_series **out)
{
	struct history_series *others;
	struct history_series *least;
	char *copy;
	int err;

	*out = find(history, kind, name);
	if (*out)
		return 0;
	/* The others have a place of their own. */
	if (has_room(history, kind) || strcmp(name, HISTORY_OTHERS) == 0)
		return add_series(history, kind, name, out);
	err = find_others(history, kind, &others);
	if (err)
		return err;
	least = find_least(history, kind, hour, brings);
	if (!least) {
		*out = others;
		return 0;
	}
	copy = strndup(name, HISTORY_NAME_MAX);
	err = copy ? merge_series(others, least) : -ENOMEM;
	if (err) {
		free(copy);
		return err;
	}
	free(least->name);
	least->name = copy;
	*least->address = '\0';
	least->slots[HISTORY_HOUR].count = 0;
	least->slots[HISTORY_DAY].count = 0;
	*out = least;
	return 0;
}

static int set_address(struct history_series *series, const char *address)
{
	char *copy;

	if (!address || is_others(series) || strcmp(series->address, address) == 0)
		return 0;
	copy = strdup(address);
	if (!copy)
		return -ENOMEM;
	free(series->address);
	series->address = copy;
	return 0;
}

int history_add(struct history *history, enum history_kind kind, const char *name,
		const char *address, struct history_time when, struct history_bytes bytes)
{
	const struct history_slot hour = {.label = when.hour, .bytes = bytes};
	const struct history_slot day = {.label = when.day, .bytes = bytes};
	struct history_series *series;
	int err;

	if (bytes.up == 0 && bytes.down == 0)
		return 0;
	err = place(history, kind, name, when.hour, bytes.up + bytes.down, &series);
	if (!err)
		err = set_address(series, address);
	if (!err)
		err = series_add(series, HISTORY_HOUR, &hour);
	return err ? err : series_add(series, HISTORY_DAY, &day);
}

int history_restore(struct history *history, enum history_kind kind, const char *name,
		    const char *address, enum history_unit unit, const struct history_slot *slot)
{
	struct history_series *series = find(history, kind, name);
	int err = 0;

	/* Nobody makes room for another: they have been chosen before they were written. */
	if (!series)
		err = has_room(history, kind) ? add_series(history, kind, name, &series)
					      : find_others(history, kind, &series);
	if (!err)
		err = set_address(series, address);
	return err ? err : series_add(series, unit, slot);
}

int history_merge(struct history *history, const struct history *more)
{
	for (enum history_kind kind = 0; kind < HISTORY_KINDS; kind++)
		for (size_t i = 0; i < more->kinds[kind].count; i++) {
			const struct history_series *from = &more->kinds[kind].series[i];
			struct history_series *to;
			int err = place(history, kind, from->name, 0, carried(from), &to);

			if (!err)
				err = set_address(to, from->address);
			if (!err)
				err = merge_series(to, from);
			if (err)
				return err;
		}
	return 0;
}

const struct history_series *history_list(const struct history *history, enum history_kind kind,
					  size_t *count)
{
	*count = history->kinds[kind].count;
	return history->kinds[kind].series;
}

struct history_bytes history_sum(const struct history_series *series, enum history_unit unit,
				 uint32_t now, uint32_t last)
{
	const struct history_slots *slots = &series->slots[unit];
	struct history_bytes sum = {0};

	for (size_t i = 0; i < slots->count; i++)
		if (slots->slot[i].label <= now && now - slots->slot[i].label < last)
			add_bytes(&sum, &slots->slot[i].bytes);
	return sum;
}

struct history_time history_time_at(uint64_t ms)
{
	const time_t seconds = (time_t)(ms / 1000);
	struct tm local = {0};

	localtime_r(&seconds, &local);
	/* The same date in a calendar without summer time. */
	local.tm_hour = local.tm_min = local.tm_sec = 0;
	return (struct history_time){.hour = (uint32_t)(seconds / SECONDS_OF_HOUR),
				     .day = (uint32_t)(timegm(&local) / SECONDS_OF_DAY)};
}

void history_day_text(uint32_t day, char out[HISTORY_DAY_TEXT_MAX])
{
	const time_t seconds = (time_t)day * SECONDS_OF_DAY;
	struct tm date = {0};

	gmtime_r(&seconds, &date);
	if (strftime(out, HISTORY_DAY_TEXT_MAX, "%Y-%m-%d", &date) == 0)
		*out = '\0';
}
