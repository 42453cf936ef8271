/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a router knows of one exit: whether it answers, how fast, by how much its clock differs. All
 * workers share it, so that what one finds out spares the others the wait. */
#ifndef HAWSER_SHARED_EXIT_STATE_H
#define HAWSER_SHARED_EXIT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/cause.h"

struct exit;

enum exit_state {
	EXIT_UNTRIED, /* used as if it were up */
	EXIT_UP,
	EXIT_DOWN, /* not used; probed until it answers again and again */
};

#define EXIT_ADDRESSES_MAX 2 /* one of each family */
#define EXIT_AVOIDED_MAX   4

/* A copy, for output and tests. */
struct exit_facts {
	enum exit_state state;
	double rtt_s; /* to its answer, smoothed; 0: unknown */
	int64_t clock_offset_ms;
	uint32_t sessions;
	uint64_t sessions_total;
	uint64_t probes;
	uint64_t failures;
	enum cause last_failure; /* CAUSE_NONE: none yet */
	double last_failure_s;	 /* when; now_s of that call */
	union address avoided[EXIT_AVOIDED_MAX];
	size_t avoided_count;
};

/* With one reference. NULL when out of memory. */
struct exit *exit_new(void);

/* Any thread, as all below. The last put frees; exit_put(NULL) does nothing. now_s is of
 * clock_monotonic_s(). */
struct exit *exit_get(struct exit *exit);
void exit_put(struct exit *exit);

bool exit_is_usable(struct exit *exit);

/* It answered with proof that it is the exit, rtt_s after it was asked. */
void exit_answered(struct exit *exit, double rtt_s, double now_s);

/* An attempt that began at started_s failed because of it. Returns whether it is down from now on,
 * and was not before; never so when it has answered another attempt meanwhile. */
bool exit_failed(struct exit *exit, enum cause cause, double started_s, double now_s);

/* It answered at this address; the last one of each family is kept. */
void exit_set_address(struct exit *exit, const union address *address);

/* Who has this address took the connection and did not answer, though the exit has others: from now
 * on those are tried first, until it has answered again and again. Returns whether that is new. */
bool exit_avoid(struct exit *exit, const union address *address, double now_s);
bool exit_avoids(struct exit *exit, const union address *address);

/* Whether to probe one that is avoided, and which. One that nobody has answered at for long is
 * forgotten, as the exit may not have it any more. */
bool exit_wants_avoided_probe(struct exit *exit, double now_s, union address *out);

/* Fills out with the addresses that are known, without ports. Returns how many. */
size_t exit_get_addresses(struct exit *exit, union address out[EXIT_ADDRESSES_MAX]);

/* What to add to our clock to have the exit's. */
int64_t exit_clock_offset_ms(struct exit *exit);
void exit_set_clock_offset_ms(struct exit *exit, int64_t offset_ms);

/* What goes to it with a SYN gets lost: for an hour nothing shall. */
void exit_lost_early(struct exit *exit, double now_s);
bool exit_takes_early(struct exit *exit, double now_s);

/* A session has it, with a reference. */
void exit_begin(struct exit *exit);
void exit_end(struct exit *exit);

/* Whether to probe it now: never tried, down, or without an answer for idle_s. Counts the probe. */
bool exit_wants_probe(struct exit *exit, double idle_s, double now_s);

void exit_describe(struct exit *exit, struct exit_facts *out);

/* "untried", "up", "down"; for output, stable. */
const char *exit_state_name(enum exit_state state);

#endif
