/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which changes of links the user's program is run for. */
#ifndef HAWSER_LINKS_LINK_TELL_H
#define HAWSER_LINKS_LINK_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "links/link.h"
#include "links/quota_usage.h"

struct link_portal;
struct on_event;

/* What was told of a link last. All zero at the start. */
struct link_told {
	char name[LINK_NAME_MAX + 1]; /* "": nothing */
	enum link_tale { LINK_TOLD_UP, LINK_TOLD_DOWN, LINK_TOLD_DEMOTED } tale;
	enum link_state state;
	bool portal; /* that it is behind one */
};

/* What was told of the link of this name, or where that is to be kept: in place of one that is not
 * followed any more, if need be. One of LINKS_MAX. */
struct link_told *link_told_of(struct link_told told[LINKS_MAX], const char *name,
			       const struct link *links, size_t count);

/* "link-up", "link-down" or "link-demoted", when the link is otherwise than was told; a link that
 * is up when it is seen for the first time is as expected. Set aside for a trial, it is as it was.
 */
void link_tell_state(struct on_event *on_event, struct link_told *told, const struct link *link);

/* Whether it is one of these events. */
bool link_tell_is_state(const char *event);

/* "portal-found", once it is known who answers, and "portal-gone". portal NULL: it is behind none.
 */
void link_tell_portal(struct on_event *on_event, struct link_told *told, const struct link *link,
		      const struct link_portal *portal);

/* "link-quota", when what was used went beyond 80 % or 100 % of it. before NULL: unknown. */
void link_tell_quota(struct on_event *on_event, const struct link_config *link,
		     const struct quota_usage *before, const struct quota_usage *after);

#endif
