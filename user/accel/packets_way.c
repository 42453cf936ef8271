/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the packets of a pair still come and go by the devices that the program knows. */
#include "accel/packets_way.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* A peer that has been silent for so long may have become so by a change of the way. Whether it
 * speaks to the socket instead is asked each second then, and later every so many. */
#define SILENT_S     1.
#define EARLY_S	     8.
#define LATE_EVERY_S 8.

/* Segments that have come to the socket since it is where it is. A resting one should get none. */
static uint32_t segments_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	(void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info.tcpi_segs_in;
}

void packets_way_rest(struct packets_end *end)
{
	end->strays = segments_of(end->fd);
}

/* Whether bytes of the leg's peer wait for an acknowledgement. */
static bool is_owed(const struct hawser_packets_leg *leg)
{
	return (uint32_t)__atomic_load_n(&leg->acked, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&leg->end, __ATOMIC_RELAXED);
}

static int end_device(struct packets_worker *worker, const struct packets_end *end,
		      const struct hawser_packets_leg *leg)
{
	return packets_device_to(worker, &end->own, &end->peer, leg->mark, end->seat.transparent);
}

bool packets_way_is_known(struct packets_worker *worker, const struct packets_end ends[DIRECTIONS],
			  const struct hawser_packets_pair *shared)
{
	return end_device(worker, &ends[UP], &shared->legs[UP]) >= 0 &&
	       end_device(worker, &ends[DOWN], &shared->legs[DOWN]) >= 0;
}

int packets_way_follow(struct packets_worker *worker, struct packets_end *end,
		       struct hawser_packets_leg *leg)
{
	const int device = end_device(worker, end, leg);
	int err;

	end->astray = __atomic_load_n(&leg->astray, __ATOMIC_RELAXED);
	/* Without a way the packets may find one again, by the same device. */
	if (device < 0 || (uint32_t)device == leg->ifindex)
		return 0;
	err = packets_attend(worker, device);
	if (err)
		return err;
	__atomic_store_n(&leg->ifindex, (uint32_t)device, __ATOMIC_SEQ_CST);
	/* After it: nothing has come by the new one yet. */
	__atomic_store_n(&leg->seen, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&leg->hop.until_ns, 0, __ATOMIC_SEQ_CST);
	return 0;
}

static const char *look_at_end(struct packets_worker *worker, struct packets_end *end,
			       struct hawser_packets_leg *leg,
			       const struct hawser_packets_leg *other, double now_s)
{
	const double silent_s =
		now_s - (double)__atomic_load_n(&leg->last_ns, __ATOMIC_RELAXED) / 1e9;
	const uint32_t before = leg->ifindex;
	bool strange = end->astray != __atomic_load_n(&leg->astray, __ATOMIC_RELAXED);
	bool past = false;

	if (silent_s > SILENT_S) {
		strange |= is_owed(other);
		if (silent_s < EARLY_S || now_s - end->asked_s >= LATE_EVERY_S) {
			end->asked_s = now_s;
			past = segments_of(end->fd) != end->strays;
		}
	}
	if ((strange || past) && packets_way_follow(worker, end, leg))
		return "packets: no way to a peer by which they can be forwarded";
	if (past && leg->ifindex == before)
		return "packets: some come past the program";
	/* What came to the socket until then came by the old way. */
	if (leg->ifindex != before)
		packets_way_rest(end);
	return NULL;
}

const char *packets_way_look(struct packets_worker *worker, struct packets_end ends[DIRECTIONS],
			     struct hawser_packets_pair *shared, double now_s)
{
	const char *fault = NULL;

	for (enum direction d = UP; d < DIRECTIONS && !fault; d++)
		fault = look_at_end(worker, &ends[d], &shared->legs[d],
				    &shared->legs[direction_opposite(d)], now_s);
	return fault;
}
