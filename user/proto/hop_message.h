/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages between a router and its exit, byte by byte as in docs/hop-protocol.md: SOCKS5 (RFC
 * 1928) with a method of our own. Pure: bytes in, bytes out; no clock, no random numbers. */
#ifndef HAWSER_PROTO_HOP_MESSAGE_H
#define HAWSER_PROTO_HOP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/cause.h"
#include "proto/speed_message.h"
#include "proto/token.h"

#define HOP_METHOD	  0xc8 /* 'H' | 0x80; RFC 1928 section 3 leaves 0x80 to 0xfe to us */
#define HOP_VERSION	  1
#define HOP_COMMAND_PROBE 0xf0 /* beside CONNECT: asks only whether the exit is there */
#define HOP_COMMAND_SPEED 0xf1 /* a speed test: struct speed_request is the address */
#define HOP_NONCE_BYTES	  16
#define HOP_MAC_BYTES	  32
#define HOP_EXIT_NAME_MAX 255
#define HOP_ANSWER_BYTES  42

/* The three messages of the router together, without the client's first bytes. */
#define HOP_AUTH_MAX                                                                               \
	(1 + 8 + HOP_NONCE_BYTES + 1 + TOKEN_NAME_MAX + 1 + HOP_EXIT_NAME_MAX + HOP_MAC_BYTES)
#define HOP_REQUEST_MAX (4 + 1 + HOST_NAME_MAX_BYTES + 2)
#define HOP_HEAD_MAX	(3 + HOP_AUTH_MAX + HOP_REQUEST_MAX)

/* The exit's judgement; on the wire. */
enum hop_status {
	HOP_ACCEPTED,
	HOP_REFUSED, /* the only one without a MAC: the sender has not shown that it has a token */
	HOP_CLOCK,   /* the time stamp is too old or too new; the answer has the exit's time */
	HOP_BUSY,    /* the token has as many sessions as it may have */
	HOP_STATUS_COUNT
};

/* What a session that is judged so fails of. */
enum cause hop_cause_of(enum hop_status status);

/* What the router wants. */
struct hop_order {
	const struct token *token;
	const char *exit_name;		       /* 1 to HOP_EXIT_NAME_MAX bytes */
	const struct destination *destination; /* NULL: a probe, or a speed test */
	const struct speed_request *speed;     /* NULL: none */
	uint64_t time_ms;		       /* since 1970, by the exit's clock as far as known */
	uint8_t nonce[HOP_NONCE_BYTES];	       /* never twice */
};

/* Writes greeting, authentication and request; returns their length. */
size_t hop_head_write(uint8_t out[static HOP_HEAD_MAX], const struct hop_order *order);

/* An authentication message; the pointers lead into it. */
struct hop_auth {
	uint64_t time_ms;
	const uint8_t *nonce;
	const char *token; /* not NUL-terminated, as is exit_name */
	size_t token_len;
	const char *exit_name;
	size_t exit_name_len;
	const uint8_t *message;
	size_t size;
};

/* Bytes of the authentication message that in begins with; 0: not enough of it is there to know;
 * -EINVAL: it is none. At most HOP_AUTH_MAX. in[0..size) may then be given to hop_auth_read(). */
int hop_auth_size(const uint8_t *in, size_t len);
void hop_auth_read(const uint8_t *in, size_t size, struct hop_auth *out);

/* Whether the sender of this message and of the SOCKS5 request behind it has the key. Takes the
 * same time whatever the MAC. */
bool hop_auth_verify(const struct hop_auth *auth, const uint8_t *request, size_t request_len,
		     const uint8_t key[static TOKEN_KEY_BYTES]);

/* The exit's answer to a message with this nonce. key and nonce are not used for HOP_REFUSED. */
void hop_answer_write(uint8_t out[static HOP_ANSWER_BYTES], enum hop_status status,
		      uint64_t time_ms, const uint8_t *nonce, const uint8_t *key);

/* What comes back, message by message. */
enum hop_stage {
	HOP_STAGE_METHOD,
	HOP_STAGE_ANSWER,
	HOP_STAGE_REPLY_HEAD, /* of the SOCKS5 reply, as much as tells its length */
	HOP_STAGE_REPLY_REST,
	HOP_STAGE_DONE,
};

enum hop_event {
	HOP_EVENT_MORE,	    /* in order; the next message follows */
	HOP_EVENT_ACCEPTED, /* the same, and the exit has taken the request */
	HOP_EVENT_REPLIED,  /* the last message: cause says how the request ended */
	HOP_EVENT_DECLINED, /* by status, which is not HOP_ACCEPTED */
	HOP_EVENT_INVALID,  /* no exit of ours talks like this */
};

#define HOP_MESSAGE_MAX HOP_REQUEST_MAX /* of those that come back */

struct hop_answers {
	enum hop_stage stage;
	uint8_t key[TOKEN_KEY_BYTES];
	uint8_t nonce[HOP_NONCE_BYTES];
	/* Found so far: */
	enum hop_status status;
	uint64_t time_ms; /* the exit's clock; 0: it did not say */
	enum cause cause;
	union address bound; /* the exit's end of the connection; AF_UNSPEC if it did not say */
	uint8_t reply[HOP_MESSAGE_MAX];
};

/* For the answers to order, whose key is copied: wipe it with sodium_memzero(). */
void hop_answers_init(struct hop_answers *answers, const struct hop_order *order);

/* How many bytes to read for the next call of hop_answers_read(); at most HOP_MESSAGE_MAX. */
size_t hop_answers_size(const struct hop_answers *answers);

/* Takes exactly hop_answers_size() bytes. */
enum hop_event hop_answers_read(struct hop_answers *answers, const uint8_t *in);

#endif
