/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metered links and quotas: what links have carried, and whether they are to be used now. Main
 * thread only. */
#ifndef HAWSER_LINKS_LINK_QUOTA_H
#define HAWSER_LINKS_LINK_QUOTA_H

#include "links/link.h"
#include "links/link_rates.h"
#include "links/quota_usage.h"

struct ev_loop;
struct link_quota;

/* NULL without memory. */
struct link_quota *link_quota_open(struct ev_loop *loop);

/* Writes what is to survive. NULL is allowed. */
void link_quota_close(struct link_quota *metered);

/* These links are followed from now on; state_dir is where usage survives. */
void link_quota_follow(struct link_quota *metered, const struct links_config *config,
		       const char *state_dir);

/* Takes the counters of the interface of a link that is followed, once a second. now is the time
 * of day. */
void link_quota_take(struct link_quota *metered, const struct link_config *link, time_t now,
		     int device, const struct link_bytes *counters);

/* A speed test fills the links: while it goes on, metered ones neither join nor rest for what is
 * carried. */
void link_quota_test(struct link_quota *metered, bool goes_on);
bool link_quota_is_tested(const struct link_quota *metered);

/* Whether, after link_quota_take() of all, links are to be marked otherwise than they are.
 * now_s is by any steady clock. */
bool link_quota_changed(struct link_quota *metered, double now_s, const struct link *links,
			const struct link_rates *meters, size_t count);

/* Takes out links whose quota is used up, and has metered ones that are not needed rest. */
void link_quota_mark(const struct link_quota *metered, struct link *links, size_t count);

/* Looks whether the links that are marked and work suffice. True: not as was thought, so mark
 * again. */
bool link_quota_reconsider(struct link_quota *metered, double now_s, const struct link *links,
			   size_t count);

/* Of a link that has a quota; NULL: none. */
const struct quota_usage *link_quota_usage(const struct link_quota *metered, const char *name);

#endif
