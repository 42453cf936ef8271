/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has happened to links, for the log and for who asks later. */
#ifndef HAWSER_LINKS_LINK_HISTORY_H
#define HAWSER_LINKS_LINK_HISTORY_H

#include "links/link.h"

#define LINK_EVENTS_MAX 64 /* that are kept */

struct link_event {
	double time_s; /* since the epoch */
	char link[LINK_NAME_MAX + 1];
	char text[2 * ADDRESS_TEXT_MAX];
};

/* All zero at the start. */
struct link_history {
	struct link_event events[LINK_EVENTS_MAX]; /* a ring */
	uint64_t count;				   /* since the start */
};

/* Notes and logs in what the link differs from what it was before. */
void link_history_note(struct link_history *history, const struct link *link,
		       const struct link *before);

/* The index-th event of those that are kept, oldest first; NULL after the last. */
const struct link_event *link_history_get(const struct link_history *history, size_t index);

#endif
