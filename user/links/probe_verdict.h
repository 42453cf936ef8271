/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What requests and answers tell of the path that they take: whether it swallows packets, and
 * whether it carries them again. Pure. Times are of one clock. */
#ifndef HAWSER_LINKS_PROBE_VERDICT_H
#define HAWSER_LINKS_PROBE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct link_signs;

#define PROBE_RING 256

/* All zero at the start. */
struct probe_verdict {
	uint16_t sequence; /* of the last request */
	bool known;	   /* it has answered before */
	bool out;
	unsigned int lost;    /* requests since the last that was answered */
	double lost_since;    /* when the first of them was sent */
	double answered;      /* when the last answer came */
	double rtt_s;	      /* the longest of late */
	double last_rtt_s;    /* of the last that was answered */
	unsigned int answers; /* in a row, while it is out */
	unsigned int needed;  /* of them */
	double returned;
	double moving, alive, silent; /* when sessions said so */
	/* Of one that has ever answered: requests since then, and how many were answered. */
	uint64_t requests, replies;
	/* When which was sent, by the lowest bits of the sequence number. */
	double sent[PROBE_RING];
	bool counted[PROBE_RING]; /* among requests, and not answered yet */
};

/* A request is sent; its number. */
uint16_t probe_verdict_send(struct probe_verdict *verdict, double now);

/* It was answered. */
void probe_verdict_take(struct probe_verdict *verdict, uint16_t sequence, double now);

/* What sessions notice of the link whose bit this is. */
void probe_verdict_sign(struct probe_verdict *verdict, const struct link_signs *signs, uint32_t bit,
			double now);

/* How late an answer may be beyond the round-trip time. */
struct probe_patience {
	double busy_s; /* when sessions wait, too */
	double idle_s;
	bool strict; /* judge also one that has never answered */
};

/* Whether the verdict has changed. */
bool probe_verdict_judge(struct probe_verdict *verdict, const struct probe_patience *patience,
			 double now);

/* Until the next request; idle_s where nothing is in doubt, and busy_s while sessions move. */
double probe_verdict_wait_s(const struct probe_verdict *verdict, double idle_s, double busy_s,
			    double now);

/* Whether an answer is late, and no session got anything either: it may be the first sign. Before
 * it is lost. */
bool probe_verdict_is_in_doubt(const struct probe_verdict *verdict, double now);

bool probe_verdict_is_busy(const struct probe_verdict *verdict, double now);

#endif
