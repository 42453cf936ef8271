/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rounds of questions by a link come to: whether it is behind a captive portal, and when to
 * ask next. Pure; times are seconds of any steady clock. */
#ifndef HAWSER_LINKS_PORTAL_VERDICT_H
#define HAWSER_LINKS_PORTAL_VERDICT_H

#include <stdbool.h>

#include "proto/portal_answer.h"

/* All zero at the start. */
struct portal_verdict {
	bool found;
	unsigned int closed;  /* rounds in a row in which a portal answered */
	unsigned int nothing; /* rounds in a row that told nothing, since it was found */
	double nothing_s;     /* since when */
	double found_s;
	double guest_s;	  /* when somebody went to log in */
	double asked_s;	  /* when the last round began */
	double calm_s;	  /* to the next; doubles */
	double doubt_s;	  /* how soon a doubt may have it asked again; doubles */
	double doubted_s; /* when there was one */
};

struct portal_round {
	enum portal_word word;
	bool proven;   /* an exit has answered by this link */
	bool provable; /* something could have shown that there is no portal */
	bool unasked;  /* and an exit that might has not been asked since a portal answered */
};

/* Another round has begun. */
void portal_verdict_ask(struct portal_verdict *verdict, double now_s);

/* The round is over. Whether found is another than before. */
bool portal_verdict_take(struct portal_verdict *verdict, const struct portal_round *round,
			 double now_s);

/* From the end of a round to the next. */
double portal_verdict_wait_s(const struct portal_verdict *verdict, bool metered, double now_s);

/* Whether an exit is to be asked in this round, too. */
bool portal_verdict_needs_proof(const struct portal_verdict *verdict);

/* Something else makes it doubtful that the link leads anywhere. Whether to ask at once. */
bool portal_verdict_doubt(struct portal_verdict *verdict, double now_s);

#endif
