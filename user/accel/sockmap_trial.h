/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether chatty pairs of a worker are better off in the sockmap, on this machine and now: what all
 * of them move is compared while they are in it, and before and after. Reads no clock and moves
 * nothing. */
#ifndef HAWSER_ACCEL_SOCKMAP_TRIAL_H
#define HAWSER_ACCEL_SOCKMAP_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/tune.h"

enum sockmap_trial_part { TRIAL_COPY_BEFORE, TRIAL_SOCKMAP, TRIAL_COPY_AFTER, TRIAL_PARTS };

struct sockmap_trial {
	bool running;
	bool wins;     /* the verdict of the last trial that had one; at first copy wins */
	bool counts;   /* the part has settled, and its bytes are counted */
	double due_s;  /* no trial begins earlier */
	double rest_s; /* after this trial */
	double settle_s;
	double count_s;
	enum sockmap_trial_part part;
	double since_s;	      /* when counting began */
	uint64_t since_bytes; /* moved by then */
	double rates[TRIAL_PARTS];
};

/* Whether chatty pairs may be in the sockmap now. */
bool sockmap_trial_admits(const struct sockmap_trial *trial);

/* A pair is chatty now. Begins a trial if one is due, at a time at which other workers begin
 * theirs. In how many seconds to call sockmap_trial_step(); 0: no trial begins. */
double sockmap_trial_begin(struct sockmap_trial *trial, const struct tune *tune, double now_s);

/* bytes: what chatty pairs have moved so far, in the sockmap and out of it. Afterwards pairs have
 * to leave unless sockmap_trial_admits(). In how many seconds to call it again; 0: the trial is
 * over. */
double sockmap_trial_step(struct sockmap_trial *trial, double now_s, uint64_t bytes);

#endif
