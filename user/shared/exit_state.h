/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a router knows of one exit: whether it answers, how fast, by how much its clock differs. All
 * workers share it, so that what one finds out spares the others the wait. */
#ifndef HAWSER_SHARED_EXIT_STATE_H
#define HAWSER_SHARED_EXIT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/cause.h"
#include "shared/episode.h"

struct exit_state;

enum exit_health {
	EXIT_UNTRIED, /* used as if it were up */
	EXIT_UP,
	EXIT_DOWN, /* not used; probed until it answers again and again */
};

#define EXIT_ADDRESSES_MAX 2 /* one of each family */
#define EXIT_AVOIDED_MAX   4

/* A copy, for output and tests. */
struct exit_facts {
	enum exit_health state;
	uint32_t sessions;
	double rtt_s;		 /* to its answer, smoothed; 0: unknown */
	int64_t clock_offset_ms; /* how far it is ahead of what this host's clock says now */
	uint64_t sessions_total;
	uint64_t probes;
	uint64_t failures;
	double last_failure_s;	 /* when; now_s of that call */
	double down_s;		 /* since when; of EXIT_DOWN */
	double full_s;		 /* since when it has no room for our token; 0: it has */
	enum cause last_failure; /* CAUSE_NONE: none yet */
	union address avoided[EXIT_AVOIDED_MAX];
	size_t avoided_count;
};

/* With one reference. NULL when out of memory. */
struct exit_state *exit_state_new(void);

/* Any thread, as all below. The last put frees; exit_state_put(NULL) does nothing. now_s is of
 * clock_monotonic_s(). */
struct exit_state *exit_state_get(struct exit_state *exit);
void exit_state_put(struct exit_state *exit);

bool exit_state_is_usable(struct exit_state *exit);

/* It answered with proof that it is the exit, rtt_s after it was asked. Returns for how long it was
 * down, if that is over now, else 0. */
double exit_state_answered(struct exit_state *exit, double rtt_s, double now_s);

/* An attempt that began at started_s failed because of it. Returns whether it is down from now on,
 * and was not before; never so when it has answered another attempt meanwhile. */
bool exit_state_failed(struct exit_state *exit, enum cause cause, double started_s, double now_s);

/* It answers, but our token has as many sessions as it may. */
struct episode *exit_state_full(struct exit_state *exit);

/* It answered at this address; the last one of each family is kept. */
void exit_state_set_address(struct exit_state *exit, const union address *address);

/* Who has this address took the connection and did not answer, though the exit has others: from now
 * on those are tried first, until it has answered again and again. Returns whether that is new. */
bool exit_state_avoid(struct exit_state *exit, const union address *address, double now_s);
bool exit_state_avoids(struct exit_state *exit, const union address *address);

/* Whether to probe one that is avoided, and which. One that nobody has answered at for long is
 * forgotten, as the exit may not have it any more. */
bool exit_state_wants_avoided_probe(struct exit_state *exit, double now_s, union address *out);

/* Fills out with the addresses that are known, without ports. Returns how many. */
size_t exit_state_get_addresses(struct exit_state *exit, union address out[EXIT_ADDRESSES_MAX]);

/* Whether its name was answered late, or not, the last time: then the addresses that are known are
 * used at once. */
void exit_state_set_name_late(struct exit_state *exit, bool late);
bool exit_state_name_is_late(struct exit_state *exit);

/* What to add to our clock to have the exit's. */
int64_t exit_state_clock_offset_ms(struct exit_state *exit);
void exit_state_set_clock_offset_ms(struct exit_state *exit, int64_t offset_ms);

/* What goes to it with a SYN gets lost: for an hour nothing shall. */
void exit_state_lost_early(struct exit_state *exit, double now_s);
bool exit_state_takes_early(struct exit_state *exit, double now_s);

/* A session has it, with a reference. */
void exit_state_begin(struct exit_state *exit);
void exit_state_end(struct exit_state *exit);

/* Whether to probe it now: never tried, down, or without an answer for idle_s. Counts the probe. */
bool exit_state_wants_probe(struct exit_state *exit, double idle_s, double now_s);

void exit_state_describe(struct exit_state *exit, struct exit_facts *out);

/* "untried", "up", "down"; for output, stable. */
const char *exit_state_name(enum exit_health state);

#endif
