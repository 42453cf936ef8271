/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subflows of all MPTCP connections of this network namespace, whoever made them (sock_diag).
 */
#ifndef HAWSER_NET_MPTCP_DIAG_H
#define HAWSER_NET_MPTCP_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

struct mptcp_diag_subflow {
	union address local;
	union address far;
	uint32_t token;	   /* its connection's; not 0 */
	uint32_t quiet_ms; /* since anything came by it */
	uint8_t far_id;	   /* the peer's number of far; 0: of where the connection began */
	bool dialled;	   /* it began the connection */
	bool established;  /* or else on its way */
	bool by_peer;	   /* the peer takes part; established without it is fallen back to TCP */
};

/* *out is malloc'ed, to be freed by the caller, sorted by token; NULL on error and when there are
 * none. 0 or -errno. Needs CAP_NET_ADMIN: without it there seem to be none. */
int mptcp_diag_list(struct mptcp_diag_subflow **out, size_t *count);

#endif
