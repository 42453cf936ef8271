/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the subflows of sessions tell about links, and how workers tell the main thread. Judges
 * nothing. */
#ifndef HAWSER_LINKS_LINK_NEWS_H
#define HAWSER_LINKS_LINK_NEWS_H

#include <ev.h>
#include <stdatomic.h>
#include <stdint.h>

#include "config/link_config.h"

struct link_choices;
struct subflow;

/* Sets of links, a bit for each by link_slot(). */
struct link_signs {
	uint32_t moving;    /* a subflow there has carried something within the last second */
	uint32_t alive;	    /* a subflow there got something a moment ago */
	uint32_t silent;    /* a subflow there waits, or brings nothing any more */
	uint32_t overtaken; /* an attempt there to connect was slow, so another link is tried */
	uint32_t awaited;   /* bytes of a subflow there keep those of quicker ones waiting */
	uint32_t rtt_us[LINKS_MAX]; /* the shortest of those that move; 0: none does */
};

/* Written by workers, emptied by the main thread. */
struct link_news {
	struct ev_loop *loop; /* the main thread's */
	ev_async async;
	_Atomic uint32_t moving;
	_Atomic uint32_t alive;
	_Atomic uint32_t silent;
	_Atomic uint32_t overtaken;
	_Atomic uint32_t guests;	     /* a client goes to log in at the portal there */
	_Atomic uint32_t awaited[LINKS_MAX]; /* looks that found it so */
	_Atomic uint32_t rtt_us[LINKS_MAX];
};

/* Adds what one subflow tells. Pure. */
void link_signs_add(struct link_signs *signs, const struct link_choices *choices,
		    const struct subflow *subflow);

/* All wait for the bytes of this subflow. Pure. */
void link_signs_add_awaited(struct link_signs *signs, const struct link_choices *choices,
			    const struct subflow *subflow);

/* By a worker: an attempt on the link in this slot was overtaken. */
void link_news_overtaken(struct link_news *news, unsigned int slot);

/* By a worker: a client goes to log in at the portal of the link in this slot. */
void link_news_guest(struct link_news *news, unsigned int slot);

/* By a worker: adds what it saw to the news, and wakes the main thread. */
void link_news_tell(struct link_news *news, const struct link_signs *signs);

#endif
