/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's MPTCP path manager (generic netlink, family "mptcp_pm"): endpoints and limits. */
#ifndef HAWSER_NET_MPTCP_PM_H
#define HAWSER_NET_MPTCP_PM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define MPTCP_PM_ENDPOINTS_MAX 64 /* more than any kernel has */
/* What the kernel allows at most (MPTCP_PM_ADDR_MAX). */
#define MPTCP_PM_LIMIT_MAX 8

/* Of an endpoint that the kernel made by itself and that anybody may replace. */
#define MPTCP_PM_FLAG_IMPLICIT (1U << 4)

struct mptcp_pm;

struct mptcp_pm_endpoint {
	union address address; /* port 0: none of its own */
	int device;	       /* 0: any */
	uint32_t flags;	       /* MPTCP_PM_ADDR_FLAG_…, as the kernel has them */
	uint8_t id;
	bool backup;
};

struct mptcp_pm_limits {
	uint32_t subflows;
	uint32_t add_addr_accepted;
};

/* NULL with errno set: ENOENT when the kernel has no MPTCP. */
struct mptcp_pm *mptcp_pm_open(void);
void mptcp_pm_close(struct mptcp_pm *pm); /* NULL is allowed */

/* The functions below return 0 or a negative errno. */

int mptcp_pm_get_limits(struct mptcp_pm *pm, struct mptcp_pm_limits *out);
int mptcp_pm_set_limits(struct mptcp_pm *pm, const struct mptcp_pm_limits *limits);

/* All endpoints, whoever made them; beyond MPTCP_PM_ENDPOINTS_MAX they are left out. */
int mptcp_pm_list(struct mptcp_pm *pm, struct mptcp_pm_endpoint out[MPTCP_PM_ENDPOINTS_MAX],
		  size_t *count);

/* With MPTCP_PM_ADDR_FLAG_SIGNAL in flags it is announced to peers; else it opens subflows, with
 * MPTCP_PM_ADDR_FLAG_FULLMESH to addresses that peers announce, too. The kernel chooses its id.
 * -EEXIST: the address has one already. */
int mptcp_pm_add(struct mptcp_pm *pm, const struct mptcp_pm_endpoint *endpoint);

/* Makes it a backup or none, also for its running subflows; with another
 * MPTCP_PM_ADDR_FLAG_FULLMESH (Linux 5.18) the kernel ends these, and opens them again where it
 * can. */
int mptcp_pm_set_flags(struct mptcp_pm *pm, const struct mptcp_pm_endpoint *endpoint);

/* Ends the subflows that connections opened from it, all but their first. */
int mptcp_pm_delete(struct mptcp_pm *pm, const struct mptcp_pm_endpoint *endpoint);

/* Ends the first subflows of connections that began on this address. */
int mptcp_pm_cut(struct mptcp_pm *pm, const union address *address);

#endif
