/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the kernel hold what links need: MPTCP endpoints and limits, a routing table and rules for
 * each. Takes back all of it and touches nothing that is somebody else's. */
#ifndef HAWSER_LINKS_LINK_SETUP_H
#define HAWSER_LINKS_LINK_SETUP_H

#include "links/link.h"

struct exit_config;
struct link_setup;
struct netlink;

/* netlink outlives the set-up. NULL with errno set: EWOULDBLOCK when another hawserd manages the
 * links of this network namespace. */
struct link_setup *link_setup_open(struct netlink *netlink);

/* Adds what is missing and removes what is not needed any more, also what an earlier hawserd that
 * was killed has left. Goes on where the kernel refuses something. view is fresh. 0, or the first
 * error as -errno: -EPERM without CAP_NET_ADMIN. That there is no room for more endpoints is none.
 */
int link_setup_apply(struct link_setup *setup, const struct net_view *view,
		     const struct link *links, size_t count);

/* Where exits are: these may announce addresses, to which every link then opens subflows. */
void link_setup_meet(struct link_setup *setup, const struct exit_config *exits, size_t count);

/* Packets from this address go another way since a moment ago, or the same again. was_deaf: nothing
 * has come by it for a while before, and it is known that it carries now. */
void link_setup_moved(struct link_setup *setup, const union address *address, bool was_deaf);

/* The interface was down, or lost an address, whatever it is by now: the kernel dropped routes by
 * it, and nobody else did. */
void link_setup_shaken(struct link_setup *setup, int device);

/* What the last link_setup_apply() has put back because somebody else had deleted it, as "rules: 2,
 * routes: 1"; "" when it was nothing. */
const char *link_setup_restored(const struct link_setup *setup);

/* What the first error of the last link_setup_apply() concerns, as "route default via 192.0.2.1 dev
 * eth0"; "": all, or there was none. */
const char *link_setup_refused(const struct link_setup *setup);

/* Addresses for which the kernel, full by now, had no room; "": none. */
const char *link_setup_crowded(const struct link_setup *setup);

/* Longest text of link_setup_crowded(); what does not fit is left out. */
#define LINK_SETUP_CROWDED_MAX 256

/* Whether endpoints or limits, of whose changes the kernel tells nobody, are not as they were set,
 * or there is room for more. */
bool link_setup_is_disturbed(const struct link_setup *setup);

/* Of links that were behind a portal when this was last noted, also by an earlier hawserd. */
const union address *link_setup_portals(const struct link_setup *setup, size_t *count);

/* Whether the limit of subflows is raised here, too, and the record says from now on that it was
 * this before. */
bool link_setup_take_limit(struct link_setup *setup, uint32_t subflows);

/* Leaves all in the kernel, and in the record, for another hawserd. NULL is allowed. */
void link_setup_leave(struct link_setup *setup);

/* Whether to call link_setup_apply() again to see which connections have joined. */
bool link_setup_is_due(const struct link_setup *setup);

/* How long an answer takes by the way from this address; 0: not known. */
void link_setup_answer(struct link_setup *setup, const union address *address, double answer_s);

/* How long until it is due, if that cannot wait for the next second; below 0: it can. */
double link_setup_wait_s(const struct link_setup *setup);

/* As link_setup_apply() with no links, and the limits as they were. NULL is allowed. */
void link_setup_close(struct link_setup *setup);

#endif
