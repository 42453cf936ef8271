/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the user's program when something happens: one at a time, with a deadline, and nobody waits
 * for it. Main thread only. */
#ifndef HAWSER_HOOKS_HOOKS_H
#define HAWSER_HOOKS_HOOKS_H

#include <stddef.h>
#include <stdint.h>

#define HOOKS_WAITING_MAX 64

struct ev_loop;
struct hooks;

/* An environment variable of the program: HAWSER_ and the name. Left out when text is NULL or "".
 */
struct hook_value {
	const char *name;
	const char *text;
};

struct hooks_state {
	const char *program; /* "": none; valid until the next hooks_configure() */
	uint64_t run;
	uint64_t failed;  /* could not be started, said so by its exit status, or was killed */
	uint64_t dropped; /* events, as too many waited */
	size_t waiting;
};

/* loop must be the default loop, which learns of children. NULL when out of memory. */
struct hooks *hooks_open(struct ev_loop *loop);

/* Kills what runs, and forgets what waits. NULL is allowed. */
void hooks_close(struct hooks *hooks);

/* From now on runs this program, which is killed after so long, with all that it has started; NULL:
 * none. */
void hooks_configure(struct hooks *hooks, const char *program, double deadline_s);

/* Something has happened: runs the program, now or when it is free. NULL does nothing. */
void hooks_tell(struct hooks *hooks, const char *event, const struct hook_value *values,
		size_t count);

struct hooks_state hooks_state(const struct hooks *hooks);

#endif
