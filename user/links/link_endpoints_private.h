/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What link_endpoints.c, those that are wanted, and link_departures.c, those that go, share. */
#ifndef HAWSER_LINKS_LINK_ENDPOINTS_PRIVATE_H
#define HAWSER_LINKS_LINK_ENDPOINTS_PRIVATE_H

#include "links/link_setup_private.h"
#include "net/mptcp_diag.h"

/* What there is at this moment. */
struct census {
	struct mptcp_pm_endpoint there[MPTCP_PM_ENDPOINTS_MAX];
	size_t there_count;
	struct mptcp_diag_subflow *subflows;
	size_t subflow_count;
	/* Of ours, those that are not wanted. */
	union address leaving[LINK_JOURNAL_ENDPOINTS_MAX];
	size_t leaving_count;
	/* Of ours, those that others have deleted, and that are wanted. */
	union address deleted[LINK_JOURNAL_ENDPOINTS_MAX];
	size_t deleted_count;
	size_t room;	/* for so many more */
	bool sheltered; /* connections that are made to join anew have lost links' subflows alone */
	bool meshed_otherwise; /* by now: some are not of the kind that is wanted */
};

/* One that is no announcement, though that may have a link's address, too; NULL: none. */
const struct mptcp_pm_endpoint *link_endpoints_find(const struct mptcp_pm_endpoint *endpoints,
						    size_t count, const union address *address);

struct link_standing link_endpoints_standing(const struct link_setup *setup,
					     const struct census *census,
					     const union address *address);

/* Takes the index-th of ours out of the record. */
void link_endpoints_forget(struct link_setup *setup, size_t index);

/* Whether it is ours. */
static inline bool is_recorded(const struct link_setup *setup, const union address *address)
{
	return address_is_among(address, setup->data.endpoints, setup->data.endpoint_count);
}

/* Whether it goes by our own will, as the link works, and may stay while it is needed. */
bool link_departures_may_stay(const struct wanted *wanted, const union address *address);

/* Whether it goes because its link is lost, while another seems to work. */
bool link_departures_is_lost(const struct wanted *wanted, const union address *address);

/* Adds to wanted what goes by our own will, but not yet; and what is lost, where its end would help
 * nobody: a connection without another subflow would never get one again, and where links come and
 * go in turns, it may yet join or its own link come back. */
void link_departures_hold(struct link_setup *setup, struct wanted *wanted,
			  const struct census *census);

/* Drops those of ours that others have deleted, or that are on another interface now. */
void link_departures_drop_moved(struct link_setup *setup, const struct wanted *wanted,
				struct census *census);

/* Drops those of ours that are not wanted. Returns whether any has gone. */
bool link_departures_drop(struct link_setup *setup, const struct wanted *wanted,
			  struct census *census);

#endif
