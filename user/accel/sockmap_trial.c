/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether chatty pairs are better off in the sockmap, by trial. */
#include "accel/sockmap_trial.h"

#include <math.h>

/* So much more has to be moved: what is gained by less is not worth a trial's noise. */
#define GAIN 1.05
/* Both times that they are out of it: if these differ by more, the load has changed meanwhile. */
#define STEADY 1.5

#define REST_MAX_S 960.

bool sockmap_trial_admits(const struct sockmap_trial *trial)
{
	return trial->running ? trial->part == TRIAL_SOCKMAP : trial->wins;
}

double sockmap_trial_begin(struct sockmap_trial *trial, const struct tune *tune, double now_s)
{
	double part_s;

	if (trial->running || now_s < trial->due_s)
		return 0;
	trial->running = true;
	trial->counts = false;
	trial->part = TRIAL_COPY_BEFORE;
	trial->count_s = tune->chat_trial_ms / 1e3;
	/* A pair may take so long until it is in the sockmap. */
	trial->settle_s = tune->chat_window_us / 1e6;
	if (trial->rest_s == 0)
		trial->rest_s = tune->chat_trial_rest_s;
	part_s = trial->settle_s + trial->count_s;
	return ceil(now_s / part_s) * part_s - now_s + trial->settle_s;
}

static void trial_end(struct sockmap_trial *trial, double now_s)
{
	const double *rates = trial->rates;
	double more = fmax(rates[TRIAL_COPY_BEFORE], rates[TRIAL_COPY_AFTER]);
	double less = fmin(rates[TRIAL_COPY_BEFORE], rates[TRIAL_COPY_AFTER]);
	bool steady = less > 0 && more <= less * STEADY;
	bool wins = steady ? rates[TRIAL_SOCKMAP] >= more * GAIN : trial->wins;

	trial->running = false;
	trial->due_s = now_s + trial->rest_s;
	/* 0: as often again as at first. */
	trial->rest_s = wins == trial->wins ? fmin(trial->rest_s * 2, REST_MAX_S) : 0;
	trial->wins = wins;
}

double sockmap_trial_step(struct sockmap_trial *trial, double now_s, uint64_t bytes)
{
	if (!trial->counts) {
		trial->counts = true;
		trial->since_s = now_s;
		trial->since_bytes = bytes;
		return trial->count_s;
	}
	trial->counts = false;
	trial->rates[trial->part] =
		(double)(bytes - trial->since_bytes) / fmax(now_s - trial->since_s, 1e-6);
	if (++trial->part < TRIAL_PARTS)
		return trial->settle_s;
	trial_end(trial, now_s);
	return 0;
}
