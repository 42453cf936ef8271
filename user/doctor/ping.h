/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests of given sizes through one interface, which nobody on the way
 * may cut into fragments. Waits for the answers; for programs that have nothing else to do. */
#ifndef HAWSER_DOCTOR_PING_H
#define HAWSER_DOCTOR_PING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

#define PING_SIZES_MAX 16
#define PING_BYTES_MAX 65535U /* of a packet, whatever the interface takes */

struct ping {
	int fd;
	int family;
	uint16_t id;
	uint16_t sequence; /* of the next request */
};

struct ping_round {
	unsigned int sizes[PING_SIZES_MAX]; /* of IP packets, header included; to PING_BYTES_MAX */
	size_t count;
	/* What came back: */
	bool answered[PING_SIZES_MAX];
	double rtt_s;	  /* of the first answer */
	unsigned int mtu; /* that somebody on the way told; 0: nobody did */
	int error;	  /* of errno, when told that there is no way; else 0 */
};

/* device: "" for any. from: AF_UNSPEC for any. A link-local destination needs its scope. 0 or
 * -errno: -EPERM without CAP_NET_RAW. */
int ping_open(struct ping *echo, const char *device, const union address *from,
	      const union address *to);

/* Sends all, and again what has no answer after half of wait_s. Returns when all are answered, an
 * error came, or wait_s is over. */
void ping_send_round(struct ping *echo, struct ping_round *round, double wait_s);

void ping_close(struct ping *echo);

#endif
