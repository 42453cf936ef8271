/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the thread of a speed test has, and one measurement: of one link, or all together, in one
 * direction. */
#ifndef HAWSER_SPEED_RUN_PRIVATE_H
#define HAWSER_SPEED_RUN_PRIVATE_H

#include "base/loop_clock.h"
#include "net/mptcp_blackhole.h"
#include "speed/run.h"
#include "speed/stream.h"
#include "speed/watch.h"

/* One is not always enough to fill a line with losses; each more stands in the way of others. */
#define SPEED_FLOWS 2

/* All that the thread has. */
struct speed_runner {
	struct speed_run *run;
	struct loop_clock clock;
	struct stream_env env;
	struct link_picker picker;
	struct mptcp_blackhole blackhole;
	struct speed_watch watch;
	ev_timer tick;
	size_t subject;
	/* The measurement that is under way: */
	enum direction direction;
	struct stream *echo;
	struct stream *bulk[SPEED_FLOWS];
	bool watching; /* for conflicts */
	double before[DIRECTIONS];
	struct speed_load load[DIRECTIONS];
	unsigned int conflict_ticks;
	enum speed_conflict conflict;
	uint64_t closed[DIRECTIONS]; /* bytes of connections that are no more */
	uint64_t payload;	     /* the same, for the result */
	double phase_s, phase_length_s;
};

/* Of a measurement. */
enum speed_outcome {
	SPEED_MEASURED,
	SPEED_AGAIN,   /* something came in between */
	SPEED_IN_WAY,  /* others have the line */
	SPEED_NO_WAY,  /* this subject cannot be measured */
	SPEED_NOTHING, /* no subject can be */
};

static inline bool speed_stopped(const struct speed_runner *r)
{
	return atomic_load(&r->run->stop);
}

static inline struct speed_row *speed_row_of(const struct speed_runner *r)
{
	return &r->run->progress.result.rows[r->subject];
}

static inline const struct speed_subject *speed_subject_of(const struct speed_runner *r)
{
	return &r->run->plan.subjects[r->subject];
}

/* To be called by the loop so often. */
#define SPEED_TICK_S 0.05
void speed_on_tick(struct ev_loop *loop, ev_timer *timer, int events);

/* Has the loop turn until it is over, and fills in the row of the subject. */
enum speed_outcome speed_measure(struct speed_runner *r, enum direction direction);

#endif
