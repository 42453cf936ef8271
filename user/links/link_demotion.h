/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a link lowers the sum: one that is slower to answer than the others, and carries little
 * or came with less than they have carried before, is set aside for a trial, and stays so if the
 * others then carry more. Pure. */
#ifndef HAWSER_LINKS_LINK_DEMOTION_H
#define HAWSER_LINKS_LINK_DEMOTION_H

#include "links/link.h"

/* Seconds that a judgement rests on. */
#define LINK_DEMOTION_SECONDS 5

/* What a second has told of a link; rates are bytes, both directions together. */
struct link_sight {
	double rate;
	uint32_t rtt_us;  /* the shortest of any subflow that moved; 0: none did */
	uint32_t awaited; /* looks at sessions that found their other subflows wait for it */
	uint32_t ping_us; /* of the last echo request that was answered; 0: none was */
};

enum link_demotion_phase {
	LINK_DEMOTION_NONE,
	LINK_DEMOTION_TRIAL, /* set aside, to see */
	LINK_DEMOTION_HELD,  /* it lowers the sum */
};

struct link_demotion_entry {
	int device;
	enum link_demotion_phase phase;
	double rates[LINK_DEMOTION_SECONDS]; /* newest last */
	bool awaited[LINK_DEMOTION_SECONDS]; /* by others that stood idle meanwhile */
	unsigned int seconds;		     /* of them that count */
	uint32_t rtt_us;
	double rtt_at_s;
	double moves_since_s; /* rtt_us is known without a gap */
	uint32_t ping_us;     /* when it was set aside */
	unsigned int quick;   /* answers in a row that are much quicker than that */
	double since_s;	      /* when the phase began */
	double until_s;	      /* when a trial may begin, or it comes back */
	double pause_s;	      /* before the next trial; doubles */
	double best;	      /* rate that it has kept up for two seconds */
	double best_at_s;
	double hold_s;		    /* how long it was held the last time; doubles */
	struct link_sums sums;	    /* before the trial, and in it */
	unsigned int trial_seconds; /* that were measured */
};

/* All zero at the start. By link_slot(). */
struct link_demotion {
	struct link_demotion_entry entries[LINKS_MAX];
};

/* Takes a second's sights, parallel to links as they are marked. True: mark again. now_s is by any
 * steady clock. */
bool link_demotion_look(struct link_demotion *demotion, double now_s, const struct link *links,
			const struct link_sight *sights, size_t count);

/* Ends trials, and forgets the seconds before: what they carried was no session's. */
void link_demotion_forget(struct link_demotion *demotion);

/* Marks links on trial and demoted ones, but none without which a family has no link in use. */
void link_demotion_mark(struct link_demotion *demotion, struct link *links, size_t count);

#endif
