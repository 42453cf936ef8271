/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of links, exits and clients, hour by hour and day by day, in bounded memory. Pure. */
#ifndef HAWSER_HISTORY_HISTORY_H
#define HAWSER_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_HOURS	    48
#define HISTORY_DAYS	    90
#define HISTORY_NAME_MAX    255
#define HISTORY_LINKS_MAX   32
#define HISTORY_EXITS_MAX   65
#define HISTORY_CLIENTS_MAX 256

/* What stands for those of a kind for which there is no room. */
#define HISTORY_OTHERS "others"

enum history_kind { HISTORY_LINK, HISTORY_EXIT, HISTORY_CLIENT, HISTORY_KINDS };

struct history_bytes {
	uint64_t up;
	uint64_t down;
};

/* Hours since 1970, UTC, and days since 1970-01-01, local time. */
struct history_time {
	uint32_t hour;
	uint32_t day;
};

struct history_slot {
	uint32_t label; /* the hour or the day */
	struct history_bytes bytes;
};

/* In the order in which they were begun, whatever the clock said. */
struct history_slots {
	struct history_slot *slot;
	size_t count;
	size_t size;
};

enum history_unit { HISTORY_HOUR, HISTORY_DAY, HISTORY_UNITS };

struct history_series {
	char *name;
	char *address; /* of a client, seen last; "": unknown */
	struct history_slots slots[HISTORY_UNITS];
};

struct history;

/* Empty. NULL when out of memory. */
struct history *history_new(void);
void history_free(struct history *history); /* NULL is allowed */

/* Adds what was carried just now; a name longer than HISTORY_NAME_MAX is cut, address may be NULL.
 * Without room the series that has carried the least becomes one with the others, if it has carried
 * nothing this hour, or less than the new one brings; else the new one does. 0 or -ENOMEM. */
int history_add(struct history *history, enum history_kind kind, const char *name,
		const char *address, struct history_time when, struct history_bytes bytes);

/* Adds one slot as it was. 0 or -ENOMEM. */
int history_restore(struct history *history, enum history_kind kind, const char *name,
		    const char *address, enum history_unit unit, const struct history_slot *slot);

/* Adds all of more, as what came later. 0 or -ENOMEM. */
int history_merge(struct history *history, const struct history *more);

/* All series of a kind, valid until the next change. */
const struct history_series *history_list(const struct history *history, enum history_kind kind,
					  size_t *count);

/* What was carried in the last so many hours or days, now's included; not what a clock that was
 * wrong has put elsewhere. */
struct history_bytes history_sum(const struct history_series *series, enum history_unit unit,
				 uint32_t now, uint32_t last);

/* Of this time, ms since 1970. */
struct history_time history_time_at(uint64_t ms);

/* "2026-11-29". */
#define HISTORY_DAY_TEXT_MAX sizeof("12345678-11-29")
void history_day_text(uint32_t day, char out[HISTORY_DAY_TEXT_MAX]);

/* "link", "exit", "client"; for output and questions, stable. */
extern const char *const history_kind_words[];

#endif
