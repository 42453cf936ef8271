/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two ends of one session of the torture will do: drawn from a seed, so that it can be
 * drawn again. */
#ifndef HAWSER_TORTURE_PLAN_H
#define HAWSER_TORTURE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum side { SIDE_CLIENT, SIDE_SERVER, SIDE_COUNT };

enum plan_kind {
	PLAN_ORDERLY, /* both ends end their streams */
	PLAN_RESET,   /* one end resets, at a moment of its own */
	PLAN_REFUSED, /* nobody listens at the destination */
	PLAN_LEAVE,   /* the client resets while hawserd may still shake hands or dial */
	PLAN_KIND_COUNT
};

/* A piece of a stream, and what must come before it. */
struct step {
	uint64_t bytes;
	uint64_t after_received; /* not before so many bytes came from the other end… */
	bool after_eof;		 /* …or its whole stream */
	uint32_t pause_us;	 /* then this long */
	uint32_t gap_us;	 /* and this long after each write */
	uint32_t write_max;	 /* bytes; each write is of 1 to so many */
};

/* What one end sends, and how it reads. A finished script ends the stream. */
struct script {
	struct step *steps;
	size_t count;
	uint64_t total;
	uint64_t key; /* of the stream's pattern */
	uint32_t read_max;
	uint32_t read_pause_us; /* after each read */
	uint64_t stall_at;	/* reads nothing for a while once so many bytes came */
	uint32_t stall_us;	/* 0: never */
	int small_buffer;	/* SO_RCVBUF, if not 0 */
	bool nodelay;
};

struct plan {
	enum plan_kind kind;
	uint64_t number;
	bool client_mptcp, server_mptcp;
	bool eager;	    /* request and first bytes at once, without waiting for answers */
	size_t leave_after; /* bytes of the greeting that a client that leaves still sends */
	enum side resetter;
	uint64_t reset_sent; /* resets once it has sent, or received, so much; UINT64_MAX: never */
	uint64_t reset_received;
	uint64_t reset_after_us; /* or so long after both ends are connected */
	uint64_t exchanges;	 /* requests that are answered before the next one is sent */
	struct script scripts[SIDE_COUNT];
};

/* xorshift64*; the state is never 0. */
struct dice {
	uint64_t state;
};

struct dice dice_new(uint64_t seed, uint64_t number);
uint64_t dice_below(struct dice *dice, uint64_t end); /* 0 to end - 1 */

/* The plan number of a seed; the server's transport is the slot's. plan_free() frees the steps. */
void plan_draw(struct plan *plan, uint64_t seed, uint64_t number, bool mptcp, bool server_mptcp);
void plan_free(struct plan *plan);
const char *plan_kind_name(enum plan_kind kind);

#endif
