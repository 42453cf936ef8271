/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections stand on an address, and would fall with it. Pure. */
#ifndef HAWSER_LINKS_LINK_STANDING_H
#define HAWSER_LINKS_LINK_STANDING_H

#include <stddef.h>

#include "net/mptcp_diag.h"

/* Addresses that have endpoints of ours, and those of them that are to go. */
struct link_ground {
	const union address *ours;
	size_t ours_count;
	const union address *leaving;
	size_t leaving_count;
	const uint16_t *exit_ports; /* that exits are dialled at */
	size_t exit_port_count;
};

/* Numbers of connections. */
struct link_standing {
	size_t users; /* with a subflow there, also one that is on its way */
	size_t alone; /* established there and nowhere else, but for addresses that are to go;
		       * also those that fell back to TCP, as the kernel ends these as well */
	/* On ours, of its family, and with none there; of those that can join. */
	size_t missing;
	size_t waiting;	 /* the same, established only on addresses that are to go */
	size_t stranded; /* of alone, those that could have another subflow */
	size_t joining;	 /* of users, those that are on their way there, and can join */
	size_t served; /* established there and elsewhere, so that they go on at once without it */
	size_t sheltered; /* of alone, established on addresses that are to go, too */
	/* Of served and sheltered, those by whose subflow there nothing has come for a while, and
	 * that can join. */
	size_t unheard;
	/* Wherever they stand: those that lost the subflow they began with, and whose peer lets
	 * others join where that went. No endpoint that is fullmesh joins them there, as the kernel
	 * keeps what is left of that subflow in its list (run on 6.18). */
	size_t bereft;
	size_t begun; /* there, and would be bereft without that subflow */
};

/* Of address. subflows are sorted by token. */
struct link_standing link_standing_find(const struct mptcp_diag_subflow *subflows, size_t count,
					const struct link_ground *ground,
					const union address *address);

#endif
