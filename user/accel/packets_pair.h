/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two connections of a session whose packets the kernel may forward: learnt, taken in a moment
 * when nobody owes anybody a byte, and taken back at any time. */
#ifndef HAWSER_ACCEL_PACKETS_PAIR_H
#define HAWSER_ACCEL_PACKETS_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/packets.h"
#include "base/direction.h"
#include "base/poller.h"

struct packets_pair;

enum packets_pair_event {
	PACKETS_PAIR_TAKEN,  /* the kernel forwards; the sockets rest */
	PACKETS_PAIR_ENDING, /* a stream has ended: packets_pair_ended() */
	PACKETS_PAIR_CLOSED, /* both have, and all was acknowledged */
	PACKETS_PAIR_RESET,  /* a peer sent a reset, and nobody has sent anything since */
	PACKETS_PAIR_IDLE,   /* nobody has sent anything for long: leave, as keepalives are ours */
	PACKETS_PAIR_LOSSY,  /* packets get lost, and it was to be careful: leave */
	PACKETS_PAIR_UNFIT,  /* packets_pair_unfit() tells why: leave */
	PACKETS_PAIR_LEFT, /* user space moves the bytes again; the sockets are where the peers are
			    */
	PACKETS_PAIR_LOST, /* the same, but a socket could not be put there, and is closed */
};

/* Called from the loop only. May free the pair. */
typedef void packets_pair_fn(void *owner, enum packets_pair_event event);

struct packets_pair_request {
	struct packets_worker *worker;
	struct poller *poller;
	int client; /* fds, of TCP sockets */
	int server;
	uint64_t session;
	const uint64_t *bytes; /* of both directions so far */
	bool careful;	       /* not where two TCPs do better than one */
	packets_pair_fn *notify;
	void *owner;
};

/* Learns the two connections. Everything that was taken from either socket has been given to the
 * other. NULL with errno set, and the reason, a literal; EAGAIN: just now. */
struct packets_pair *packets_pair_new(const struct packets_pair_request *request,
				      const char **reason);

/* User space has given all that it has taken, so many bytes each way, and does nothing until
 * packets_pair_disarm(): the kernel may take the pair meanwhile. If it never will: why, a literal.
 * Otherwise NULL. */
const char *packets_pair_arm(struct packets_pair *pair, const uint64_t bytes[DIRECTIONS]);

/* Before user space touches the sockets. False: it must not, as the pair has been taken, which
 * PACKETS_PAIR_TAKEN may not have told yet. */
bool packets_pair_disarm(struct packets_pair *pair);

/* Takes it back in the next moment when nothing is on its way, or after a second or 20 where there
 * is none, unless it ends before that: PACKETS_PAIR_LEFT or PACKETS_PAIR_LOST follows from the
 * loop. Until then the peers are told that there is no room for anything new. */
void packets_pair_leave(struct packets_pair *pair);

/* Bytes that the kernel moved since the last call, as the receiver has acknowledged them. */
uint64_t packets_pair_take_count(struct packets_pair *pair, enum direction direction);

/* Why packets cannot be forwarded any more, a literal; NULL: nothing is known. */
const char *packets_pair_unfit(const struct packets_pair *pair);

/* Packets forwarded so far. */
uint64_t packets_pair_packets(const struct packets_pair *pair, enum direction direction);

/* Whether this stream's end has been sent, or also acknowledged. */
bool packets_pair_ending(const struct packets_pair *pair, enum direction direction);
bool packets_pair_ended(const struct packets_pair *pair, enum direction direction);

/* Takes it back at once if it is taken and neither closed nor reset: the sockets can be reset, but
 * may be some bytes behind. packets_pair_free(NULL) does nothing. */
void packets_pair_free(struct packets_pair *pair);

/* When packets_event_fd() is readable. */
void packets_pair_read_events(struct packets_worker *worker);

/* Once a second. idle_s: when to tell PACKETS_PAIR_IDLE. */
void packets_pair_tidy(struct packets_worker *worker, double idle_s);

#endif
