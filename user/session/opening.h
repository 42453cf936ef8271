/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a session needs until it relays: the handshake, the bytes it has not consumed, and the
 * answers to the client. Freed when the relay starts, so that an idle session stays small. */
#ifndef HAWSER_SESSION_OPENING_H
#define HAWSER_SESSION_OPENING_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/handshake.h"
#include "session/doorway.h"
#include "session/peek.h"

struct proxy_protocol;
struct relay;
struct session_speed;
struct upstream_dial;

struct opening {
	struct handshake handshake;
	uint8_t *in; /* what the client sent, and the handshake has not consumed */
	size_t in_len;
	size_t in_size;
	uint64_t received; /* bytes from the client, ever */
	/* By the PROXY protocol: where the client connected to; AF_UNSPEC: not told. */
	union address proxied_to;
	const struct destination *forward; /* of the listener, the configuration's; NULL: none */
	struct handshake_out refusal;	   /* that is held back for a while */
	unsigned int refusals;		   /* times that it was given time to read it */
	bool heard; /* the client has sent something since it was looked at */
	/* The session's: */
	ev_io io;
	struct doorway_place place;
	struct peek peek;
	struct upstream_dial *dial;
	struct session_speed *speed; /* NULL: none is served */
};

/* NULL when out of memory. users and gate (NULL: no tokens are taken) must outlive it. */
struct opening *opening_new(enum access access, const struct users *users, const struct gate *gate);
void opening_free(struct opening *opening);

/* Ends its dial, if there is one. */
void opening_cancel_dial(struct opening *opening);

/* Whether the next read needs more memory than most handshakes do. */
bool opening_is_big(const struct opening *opening);
#define OPENING_SMALL_BYTES 8192

/* Reads from the client once. 0; -EAGAIN: nothing came; -EPIPE: the client is gone; -ENOMEM. */
int opening_read(struct opening *opening, int fd);

/* Takes the handshake as far as it goes, with its answers sent. -EPIPE: the client takes none; else
 * an enum parse. At PARSE_BAD, *refusal is what is still to be sent; else it is unused. */
int opening_advance(struct opening *opening, int fd, struct handshake_out *refusal);

/* Puts back what was read from the client and is for the handshake that comes next. 0 or -ENOMEM.
 */
int opening_put_back(struct opening *opening, const void *bytes, size_t len);

/* Takes len bytes of what the client sent. */
void opening_drop(struct opening *opening, size_t len);

/* Reads the header of the PROXY protocol that must come first, and no byte more. At PARSE_DONE
 * *header has it, at PARSE_BAD what is wrong; else as opening_read(). */
int opening_read_proxy_header(struct opening *opening, int fd, struct proxy_protocol *header);

/* Puts such a header before the first bytes for the destination: who the client is, and which
 * address it connected to. 0 or -ENOMEM. */
int opening_add_proxy_header(struct opening *opening, const union address *client,
			     const union address *to);

/* Sends out. False when the client did not take it: it is gone, or it sends without ever reading.
 */
bool opening_answer(int fd, const struct handshake_out *out);

/* The head of a plain HTTP request will not be sent any more. Idempotent. */
void opening_drop_head(struct opening *opening);

/* Brings together what the client sent early, after the head of a plain HTTP request: the first
 * bytes for the destination, which are the opening's. 0 or -ENOMEM. */
int opening_gather(struct opening *opening, const uint8_t **first, size_t *len);

/* Has relay send first what comes before the relayed bytes: the answer to the client, with bound
 * for the address of the connection to the destination; and to the server the first bytes, but
 * for so many that it has. Call after relay_prepare(). 0 or -ENOMEM. */
int opening_hand_over(struct opening *opening, struct relay *relay, const union address *bound,
		      size_t first_sent);

#endif
