/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cannot be seen from the kernel whether it is ours, kept in a file for the start after a
 * crash: MPTCP endpoints, and the limits as they were; and which links lead to a portal. One for
 * each network namespace; who holds it is the one that manages links there. */
#ifndef HAWSER_LINKS_LINK_JOURNAL_H
#define HAWSER_LINKS_LINK_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "config/link_config.h"
#include "net/mptcp_pm.h"

#define LINK_JOURNAL_ENDPOINTS_MAX ((size_t)LINKS_MAX * IP_FAMILIES)

struct link_journal;

struct link_journal_data {
	bool has_limits;
	struct mptcp_pm_limits before; /* as they were found */
	struct mptcp_pm_limits raised; /* as we set them */
	size_t endpoint_count;
	union address endpoints[LINK_JOURNAL_ENDPOINTS_MAX]; /* that we made */
	size_t portal_count;
	union address portals[LINKS_MAX]; /* one of each link that is behind a portal */
};

/* Whether there is one here, which an earlier hawserd has left, or another holds. */
bool link_journal_left(void);

/* Holds the record, made if need be, and reads what it says. NULL with errno set: EWOULDBLOCK when
 * another process holds it. */
struct link_journal *link_journal_open(struct link_journal_data *data);

/* Call before each change in the kernel. 0 or -errno. */
int link_journal_write(struct link_journal *record, const struct link_journal_data *data);

/* Whether the last write failed: the file does not say what it should. */
bool link_journal_is_behind(const struct link_journal *record);

/* Removes the file when nothing is left in the kernel that it would be needed for. NULL is allowed.
 */
void link_journal_close(struct link_journal *record, bool remove);

#endif
