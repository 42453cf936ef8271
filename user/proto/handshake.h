/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client says before its payload: SOCKS5, SOCKS4(a) or HTTP, told apart by the first byte.
 * Pure: bytes in, bytes out. Never touches an fd or the loop. */
#ifndef HAWSER_PROTO_HANDSHAKE_H
#define HAWSER_PROTO_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/cause.h"
#include "proto/hop_message.h"
#include "proto/http_message.h"
#include "proto/parse.h"

struct gate;
struct token;
struct users;

#define HANDSHAKE_IN_MAX  HTTP_HEAD_MAX /* a request must fit */
#define USER_NAME_MAX	  255		/* RFC 1929 section 2 */
#define USER_PASSWORD_MAX 255
#define HANDSHAKE_OUT_MAX 512 /* every answer fits */
#define LOGIN_TEXT_MAX	  63  /* of a name that failed, so much is told */

enum protocol {
	PROTOCOL_NONE, /* no byte seen yet */
	PROTOCOL_SOCKS5,
	PROTOCOL_SOCKS4,
	PROTOCOL_SOCKS4A,
	PROTOCOL_HTTP_CONNECT,
	PROTOCOL_HTTP, /* a plain request in absolute form (RFC 9112 section 3.2.2) */
	PROTOCOL_FORWARD,
	PROTOCOL_TRANSPARENT, /* taken on its way; the client knows of no proxy */
	PROTOCOL_COUNT
};

enum access {
	ACCESS_OPEN,	 /* no password needed */
	ACCESS_PASSWORD, /* a user name and password needed */
	ACCESS_DENIED,	 /* this source address may not use the listener */
};

/* Who decides whether a password or a token is right; the handshake only asks. */
struct handshake_judge {
	/* As users_check(). */
	const char *(*password)(const struct users *users, const char *name, size_t name_len,
				const char *password, size_t password_len);
	/* As gate_admit(). */
	enum hop_status (*token)(const struct gate *gate, const struct hop_auth *auth,
				 const uint8_t *request, size_t request_len,
				 const struct token **token,
				 uint8_t answer[static HOP_ANSWER_BYTES], const char **why);
};

struct handshake {
	enum protocol protocol;
	enum access access;
	const struct handshake_judge *judge;
	const struct users *users;
	const struct gate *gate; /* NULL: no tokens are taken; set after handshake_init() */
	/* The token that the gate let in, with a session begun on its account: the caller's to end,
	 * also after PARSE_BAD. NULL without one. */
	const struct token *token;
	/* Whose password was right, of users; NULL: none was asked for. */
	const char *user;
	char login[LOGIN_TEXT_MAX + 1]; /* the name that was given last, cut; with PARSE_BAD */
	const char *why;  /* with PARSE_BAD: what was wrong with a token; NULL: see cause */
	bool probe;	  /* with PARSE_DONE: wants the success and nothing else; no destination */
	bool wants_speed; /* with PARSE_DONE: wants this speed test; no destination either */
	struct speed_request speed;
	enum cause cause;		/* set when PARSE_BAD */
	bool wrong_password;		/* with PARSE_BAD: a guess, perhaps */
	struct destination destination; /* set when PARSE_DONE */
	uint8_t stage;			/* of the protocol's dialogue */
	/* A plain HTTP request's rewritten head: the first bytes for the destination. malloc'ed,
	 * the caller of handshake_step() takes or frees it. NULL for all other protocols. */
	uint8_t *head;
	size_t head_len;
	struct http_request http; /* the same request */
	struct http_scan scan;	  /* HTTP's own */
};

/* An answer to the client, appended to by the handshake, sent and emptied by the caller. */
struct handshake_out {
	uint8_t bytes[HANDSHAKE_OUT_MAX];
	size_t len;
};

/* judge and users must outlive the handshake. */
void handshake_init(struct handshake *handshake, enum access access,
		    const struct handshake_judge *judge, const struct users *users);

/* Takes what it can from in[0..len) and says in *consumed how much; the caller keeps the rest and
 * calls again with the rest and what came since. Any result may have appended to out.
 * PARSE_DONE: what was not consumed is payload.
 * PARSE_BAD: out holds the whole refusal (nothing if no protocol was recognised): send and close.
 */
enum parse handshake_step(struct handshake *handshake, const uint8_t *in, size_t len,
			  size_t *consumed, struct handshake_out *out);

/* Appends the final answer: success for CAUSE_NONE, else the protocol's refusal for that cause at
 * this stage of its dialogue; for a session that ends between steps or after PARSE_DONE, never
 * after PARSE_BAD. bound is the local address of the connection to the destination, or NULL.
 * Nothing for PROTOCOL_NONE, PROTOCOL_FORWARD, PROTOCOL_TRANSPARENT, and a success of
 * PROTOCOL_HTTP. */
void handshake_reply(const struct handshake *handshake, enum cause cause,
		     const union address *bound, struct handshake_out *out);

/* After PARSE_DONE of a plain HTTP request: reads the next one of the same client. */
void handshake_next(struct handshake *handshake);

/* "socks5", "http-connect"…; for output, stable. */
const char *protocol_name(enum protocol protocol);

#endif
