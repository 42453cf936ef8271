/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the subflows of sessions that move tell about links: each worker looks at the kernel's
 * figures, and the main thread hears of it. Judges nothing. */
#ifndef HAWSER_LINKS_LINK_WATCH_H
#define HAWSER_LINKS_LINK_WATCH_H

#include <ev.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "links/link_choice.h"

struct session_env;
struct subflow;

/* Sets of links, a bit for each by link_slot(). */
struct link_signs {
	uint32_t moving; /* a subflow there has carried something within the last second */
	uint32_t alive;	 /* a subflow there got something a moment ago */
	uint32_t silent; /* a subflow there waits, or brings nothing any more */
	uint32_t rtt_us[LINKS_MAX]; /* the shortest of those that move; 0: none does */
};

/* Written by workers, emptied by the main thread. */
struct link_news {
	struct ev_loop *loop; /* the main thread's */
	ev_async async;
	_Atomic uint32_t moving;
	_Atomic uint32_t alive;
	_Atomic uint32_t silent;
	_Atomic uint32_t rtt_us[LINKS_MAX];
};

struct link_watch {
	struct session_env *env;
	ev_timer timer;
};

void link_watch_init(struct link_watch *watch, struct session_env *env);

/* A relay with MPTCP has moved bytes: look until none does any more. Cheap. */
void link_watch_wake(struct link_watch *watch);

/* Adds what one subflow tells. Pure. */
void link_signs_add(struct link_signs *signs, const struct link_choices *choices,
		    const struct subflow *subflow);

#endif
