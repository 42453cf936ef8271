/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What splice(2) does with pages that a socket has received or is given, found out over loopback.
 */
#ifndef HAWSER_NET_SPLICE_PROBE_H
#define HAWSER_NET_SPLICE_PROBE_H

#include <stdbool.h>
#include <stddef.h>

enum splice_direction {
	SPLICE_FROM_SOCKET,
	SPLICE_TO_SOCKET,
};

/* Whether the kernel passes pages on, to or from a socket of this protocol; if not, says why: it
 * copies, or refuses. protocol: IPPROTO_TCP or IPPROTO_MPTCP. */
bool splice_probe(int protocol, enum splice_direction direction, char *reason, size_t size);

#endif
