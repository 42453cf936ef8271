/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What links.c, who is followed, links_sync.c, what the kernel says, and links_watch.c, what is
 * looked at every second, share. */
#ifndef HAWSER_LINKS_LINKS_PRIVATE_H
#define HAWSER_LINKS_LINKS_PRIVATE_H

#include <ev.h>

#include "links/link_demotion.h"
#include "links/link_tell.h"
#include "links/link_upkeep.h"
#include "links/links.h"

struct link_events;
struct link_portals;
struct link_probes;
struct link_quota;
struct link_setup;
struct netlink;

/* After the kernel could not be asked or changed. */
#define RETRY_S 1.

struct links {
	struct ev_loop *loop;
	const struct config *config;
	struct on_event *on_event;
	struct netlink *netlink;
	struct link_events *events;
	ev_timer retry;
	ev_timer hurry;	 /* connections wait for a look at them, or a link is spared */
	double spared_s; /* since when, as the others may be as silent; 0: none is */
	ev_timer takeover;
	bool held;		  /* or used by another hawserd, what there would be to clean up */
	struct link_setup *setup; /* NULL: only looked at */
	struct link_probes *probes;
	struct link_portals *portals;
	struct link_quota *metered; /* NULL: they are another hawserd's */
	struct link_demotion demotion;
	char reason[96];
	struct link_upkeep upkeep;
	struct link links[LINKS_MAX];
	struct link_rates meters[LINKS_MAX]; /* parallel to links */
	size_t count;
	char left_out[IF_NAMESIZE]; /* that was told of */
	ev_timer meter;
	struct link_history history;
	struct link_told told[LINKS_MAX]; /* of those that are followed, and of some that were */
	struct link_choices choices;
	links_changed_fn *changed;
	void *context;
};

/* Asks the kernel, and does what follows. */
void links_sync(struct links *links);

/* Tells who has to know if the choices are others than before. */
void links_choose(struct links *links);

/* From now on links are only looked at. */
void links_only_look(struct links *links, const char *reason);

/* Where sessions go is what links are asked for. */
void links_aim_probes(struct links *links);

/* Of links_watch.c: looks from when meter is started on. */
void links_init_watch(struct links *links);

#endif
