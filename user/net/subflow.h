/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells of the subflows of one socket; a TCP socket has one. */
#ifndef HAWSER_NET_SUBFLOW_H
#define HAWSER_NET_SUBFLOW_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "net/mptcp.h"

/* More than the kernel makes (1 and its limit of 8). */
#define SUBFLOWS_MAX 16

enum subflow_backup { SUBFLOW_BACKUP_UNKNOWN, SUBFLOW_BACKUP_NO, SUBFLOW_BACKUP_YES };

struct subflow {
	uint64_t bytes_sent;
	uint64_t bytes_received;
	uint64_t bytes_retransmitted;
	uint64_t bytes_arrived; /* about: in order or not, and again */
	union address local;
	union address remote;
	uint32_t rtt_us;
	uint32_t cwnd;		  /* segments */
	uint32_t retransmissions; /* segments */
	uint32_t unacked;	  /* segments */
	uint32_t last_ack_ms;	  /* ago, that one came; if never, much */
	uint32_t last_data_sent_ms;
	uint32_t last_data_received_ms;
	enum subflow_backup backup;
	int device;    /* 0: unknown; the caller's to fill in, for subflow_ask_backup() */
	uint8_t state; /* TCP_ESTABLISHED… */
};

/* Fills out; returns how many there are, 0 also when the kernel cannot tell (before 5.16). */
size_t subflow_list(int fd, enum transport transport, struct subflow out[SUBFLOWS_MAX]);

/* The subflow for whose bytes all wait: a quicker one has nothing to do since the receiver has no
 * room for more of what comes after them. NULL: there is none, or the kernel does not tell. Of what
 * subflow_list() has found of this MPTCP socket. */
const struct subflow *subflow_awaited(int fd, const struct subflow *subflows, size_t count);

/* Asks for backup of each, as we or the peer set it (sock_diag); it stays unknown without
 * CAP_NET_ADMIN, and for one that is bound to an interface, as later subflows are, without its
 * device. */
void subflow_ask_backup(struct subflow *subflows, size_t count);

/* "established", "fin-wait-1"…; for output, stable. */
const char *subflow_state_name(uint8_t state);

#endif
