/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which links are behind a captive portal: asks by each, seldom while all is well, and often from
 * when one is found until it is gone. Main thread only; changes nothing in the system. */
#ifndef HAWSER_LINKS_LINK_PORTALS_H
#define HAWSER_LINKS_LINK_PORTALS_H

#include "links/exit_reach.h"
#include "proto/portal_answer.h"

struct link_portals;

struct link_portal {
	char location[PORTAL_LOCATION_MAX]; /* where it sends browsers; "": not known */
	union address at;		    /* who answers; AF_UNSPEC: not known yet */
};

/* One was found, or is gone. */
typedef void link_portals_changed_fn(void *context);

/* NULL without memory. */
struct link_portals *link_portals_open(struct ev_loop *loop, link_portals_changed_fn *changed,
				       void *context);
void link_portals_close(struct link_portals *portals); /* NULL is allowed */

/* How to ask from now on; config outlives the next call. If it is otherwise than before, what is
 * known is forgotten. */
void link_portals_configure(struct link_portals *portals, const struct portal_config *config);

/* An exit that answers by a link shows that no portal is in the way; at most EXIT_TARGETS_MAX. */
void link_portals_target(struct link_portals *portals, const struct exit_target *targets,
			 size_t count);

/* The links of these addresses were behind one a moment ago, as an earlier hawserd knew. Holds for
 * a minute. */
void link_portals_remember(struct link_portals *portals, const union address *addresses,
			   size_t count);

/* Asks by those of these links that work, rest not, and may be probed, from now on. What is known
 * of one whose interface and addresses are as before is kept, and with PORTAL_AUTO also that of one
 * whose IPv6 address alone is another. */
void link_portals_follow(struct link_portals *portals, const struct link *links, size_t count);

/* Marks those that are behind one: they do not work. */
void link_portals_mark(const struct link_portals *portals, struct link *links, size_t count);

/* Sets of links, a bit for each by link_slot(): something may be wrong there; somebody goes to log
 * in there. */
void link_portals_doubt(struct link_portals *portals, uint32_t slots);
void link_portals_guest(struct link_portals *portals, uint32_t slots);

/* NULL: it is behind none. Valid until control returns to the loop. */
const struct link_portal *link_portals_get(const struct link_portals *portals,
					   const struct link *link);

#endif
