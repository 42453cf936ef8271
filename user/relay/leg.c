/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One socket of a relay, and what its kernel counts of the two streams. */
#include "relay/leg.h"

#include "accel/tcp_position.h"
#include "net/socket.h"

bool leg_drained(const struct leg *leg, const struct flow *to)
{
	/* A socket that has just fallen back to TCP says 1 until something was sent. */
	const int none = leg->transport == TRANSPORT_FALLBACK && to->bytes == 0 ? 1 : 0;

	return leg->dead || socket_unacknowledged(leg->fd) <= none;
}

/* The receive path of a socket that fell back to TCP can lose bytes in the kernel and still end in
 * order (run on 6.18). TCP's own count tells; it may count the end of the stream as one byte more,
 * and it knows nothing of a client that sends past TCP. */
bool leg_lost_bytes(const struct leg *leg, const struct flow *from)
{
	return leg->transport == TRANSPORT_FALLBACK && !from->local &&
	       socket_received_bytes(leg->fd) > from->bytes + (uint64_t)leg->uncounted + 1;
}

bool leg_progressed(struct leg *leg, const struct flow *to)
{
	const bool was_owed = leg->owed;
	uint64_t acknowledged = leg->acknowledged;
	bool moved;

	leg->owed = to->held.len > 0 || socket_unacknowledged(leg->fd) > 0;
	(void)tcp_position_acknowledged(leg->fd, leg->transport == TRANSPORT_MPTCP, &acknowledged);
	moved = acknowledged != leg->acknowledged;
	leg->acknowledged = acknowledged;
	/* What was sent and acknowledged between two looks says nothing that its sending did not.
	 */
	return moved && (was_owed || leg->owed);
}
