/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metered links and quotas: what links have carried, and whether they are to be used now. Main
 * thread only. */
#ifndef HAWSER_LINKS_LINK_QUOTA_H
#define HAWSER_LINKS_LINK_QUOTA_H

#include "links/link.h"
#include "links/link_rates.h"
#include "links/quota_usage.h"

struct link_metered;

/* NULL without memory. */
struct link_metered *link_metered_open(void);

/* Writes what is to survive. NULL is allowed. */
void link_metered_close(struct link_metered *metered);

/* These links are followed from now on; state_dir is where usage survives. */
void link_metered_follow(struct link_metered *metered, const struct links_config *config,
			 const char *state_dir);

/* Takes the counters of the interface of a link that is followed, once a second. now is the time
 * of day. */
void link_metered_take(struct link_metered *metered, const struct link_config *link, time_t now,
		       int device, const struct link_bytes *counters);

/* Whether, after link_metered_take() of all, links are to be marked otherwise than they are.
 * now_s is by any steady clock. */
bool link_metered_changed(struct link_metered *metered, double now_s, const struct link *links,
			  const struct link_meter *meters, size_t count);

/* Takes out links whose quota is used up, and has metered ones that are not needed rest. */
void link_metered_mark(const struct link_metered *metered, struct link *links, size_t count);

/* Looks whether the links that are marked and work suffice. True: not as was thought, so mark
 * again. */
bool link_metered_reconsider(struct link_metered *metered, double now_s, const struct link *links,
			     size_t count);

/* Of a link that has a quota; NULL: none. */
const struct link_usage *link_metered_usage(const struct link_metered *metered, const char *name);

#endif
