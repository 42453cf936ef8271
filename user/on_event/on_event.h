/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the user's program when something happens: one at a time, with a deadline, and nobody waits
 * for it. Main thread only. */
#ifndef HAWSER_ON_EVENT_ON_EVENT_H
#define HAWSER_ON_EVENT_ON_EVENT_H

#include <stddef.h>
#include <stdint.h>

#define HOOKS_WAITING_MAX 64
#define EVENTS_KEPT	  32
#define EVENT_NAME_MAX	  24
#define EVENT_TEXT_MAX	  160

struct ev_loop;
struct on_event;

/* An environment variable of the program: HAWSER_ and the name. Left out when text is NULL or "".
 */
struct hook_value {
	const char *name;
	const char *text;
};

/* One that was told, with a program or without. */
struct past_event {
	double time_s; /* since 1970 */
	char event[EVENT_NAME_MAX];
	char text[EVENT_TEXT_MAX]; /* its TEXT; where that is longer it ends with "..." */
};

struct on_event_state {
	const char *program; /* "": none; valid until the next on_event_configure() */
	uint64_t run;
	uint64_t failed;  /* could not be started, said so by its exit status, or was killed */
	uint64_t dropped; /* events, as too many waited */
	size_t waiting;
};

/* loop must be the default loop, which learns of children. NULL when out of memory. */
struct on_event *on_event_open(struct ev_loop *loop);

/* Kills what runs, and forgets what waits. NULL is allowed. */
void on_event_close(struct on_event *on_event);

/* From now on runs this program, which is killed after so long, with all that it has started; NULL:
 * none. */
void on_event_configure(struct on_event *on_event, const char *program, double deadline_s);

/* Something has happened: runs the program, now or when it is free. NULL does nothing. */
void on_event_tell(struct on_event *on_event, const char *event, const struct hook_value *values,
		   size_t count);

/* The index-th of the last EVENTS_KEPT, oldest first; NULL after the last. */
const struct past_event *on_event_past(const struct on_event *on_event, size_t index);

struct on_event_state on_event_state(const struct on_event *on_event);

#endif
