/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What session.c, one session's life, and the parts of that share: session_client.c, what the
 * client says, session_refuse.c, how it is refused, session_dial.c and session_relay.c, where it
 * goes, session_deadline.c, how long that may take, session_doorway.c, how one gets in,
 * session_transparent.c, how some begin, session_http.c, those of many requests, session_speed.c,
 * speed tests, session_record.c, what is told of one, and session_list.c, what is asked of all. */
#ifndef HAWSER_SESSION_SESSION_PRIVATE_H
#define HAWSER_SESSION_SESSION_PRIVATE_H

#include <stdbool.h>

#include "auth/egress_policy.h"
#include "session/session.h"
#include "upstream/dial.h"

enum session_state {
	SESSION_HANDSHAKE,
	SESSION_PEEKING, /* waits for the name of the server in what a transparent client sends */
	SESSION_RESOLVING,
	SESSION_CONNECTING,
	SESSION_RELAYING,
	SESSION_EXCHANGING, /* a plain HTTP request and its response */
	SESSION_TESTING,    /* serves a speed test */
	SESSION_WAITING,    /* for the next request of the same client */
	SESSION_DELAYING,   /* the refusal is held back, as this address fails again and again */
	SESSION_REFUSING, /* the refusal is sent; waits for the client to close, so that it reads it
			   */
	SESSION_STATE_COUNT
};

/* Most texts fit; each by itself in the heap would hold a page. */
#define SHORT_DESTINATION_BYTES 48

struct session_block;
struct session_record;

struct session {
	struct session_env *env;
	struct session *next;
	struct session **link; /* what points here */
	struct session_block *block;
	const struct config *config;
	struct opening *opening;	 /* NULL from SESSION_RELAYING on */
	struct session_http *http;	 /* NULL without plain HTTP requests, and as opening */
	struct exit_state *exit;	 /* that carries it; NULL: none */
	struct token_state *token_state; /* of the token that it came with; NULL: without */
	const char *user;		 /* or token, by which it got in, the configuration's */
	struct session_record *record;	 /* for the access log; NULL: none */
	char *destination;		 /* as text, for output; NULL while unknown */
	char short_destination[SHORT_DESTINATION_BYTES]; /* where destination is, if it fits */
	uint64_t id;
	ev_tstamp started;
	ev_timer deadline;
	union address client;
	enum session_state state;
	enum protocol protocol;
	enum cause cause;	      /* why it was refused */
	bool plain;		      /* bypassed: dialled as TCP */
	bool from_run;		      /* its client is of `hawser run` */
	bool told;		      /* that it did not get in */
	uint64_t tallied[DIRECTIONS]; /* bytes */
	struct relay relay;
};

const char *session_state_name(const struct session *session);

/* Of session_pool.c: all zero but for block. NULL when out of memory. */
struct session *session_alloc(struct session_env *env);
void session_free(struct session_env *env, struct session *session);

/* The only destructor. Every way out leads through here. */
void session_end(struct session *session, enum cause cause);

/* Checks the transition and sets the deadline. */
void session_enter(struct session *session, enum session_state state);

/* What was needed until it relays. */
void session_close_opening(struct session *session);

/* Closes the connection to the server, if there is one. */
void session_drop_server(struct session *session);

/* Of session_client.c: */
void session_init_client(struct session *session);

/* The client's address is known. */
void session_begin(struct session *session);

/* Nothing is read from the client but whether it is still there. */
void session_watch_client(struct session *session);

/* The client may send its next request. */
void session_await_request(struct session *session);

/* Whether it may be waited for: while draining, one that has come is still served. */
bool session_may_wait(const struct session *session);

/* Of session_transparent.c: dials one that peeks, by the name if that has come, else by the
 * address. */
void session_stop_peeking(struct session *session);

/* Of session_refuse.c: sends out, which holds the refusal, and waits for the client to close. */
void session_refuse(struct session *session, enum cause cause, const struct handshake_out *out);

/* The same with the refusal that the protocol has for this cause. */
void session_fail(struct session *session, enum cause cause);

/* As session_refuse(), for a handshake that failed. It must not be cheap to try again and again. */
void session_refuse_handshake(struct session *session, enum cause cause,
			      const struct handshake_out *out);

/* The client gets nothing more; waits for it to close, and then ends for this cause. */
void session_linger(struct session *session, enum cause cause);

/* Of session_dial.c: the destination is known. A connection that there was to another one is
 * closed. */
void session_dial(struct session *session);

/* What a dial needs of the worker; the rest is the caller's to fill in. */
struct dial_request session_dial_request(struct session_env *env, const struct config *config);

/* Where clients who came without a token may go. */
struct egress_policy session_lan_egress(const struct config *config);

/* A connection that was made before its session, by a configuration that was in force then. */
struct early_dial {
	struct dial_result result;
	const struct config *config; /* with a reference */
	ev_tstamp began_s;	     /* when the client's first packet came */
};

/* Has the session go on with it; the destination is known. early is freed. */
void session_adopt(struct session *session, struct early_dial *early);

/* Of session_relay.c: there is a connection to the destination. */
void session_connected(struct session *session, const struct dial_result *result);

/* From now on bytes are relayed; down comes first for the client. */
void session_tunnel(struct session *session, const uint8_t *down, size_t len);

/* Of session_deadline.c: */
void session_init_deadline(struct session *session);

/* As long as the state may last, or after_s. */
void session_arm_deadline(struct session *session);
void session_arm(struct session *session, double after_s);

/* Of session_doorway.c: it stands there until it says where it wants to go; another may have to
 * leave. 0 or -ENOMEM. */
int session_enter_doorway(struct session *session);

/* Whether a handshake that failed for this cause was an attempt to get in. Where tokens are taken,
 * whatever fails but for a clock that is off and a limit reached; elsewhere a wrong password only,
 * as many clients do not give one before they are asked to. */
bool session_was_attempt(const struct session *session, enum cause cause);

/* Before a handshake goes on: who guesses too fast finds no password right, by whichever connection
 * the next guess comes. */
void session_judge_guesses(struct session *session);

/* Of session_list.c: "" for none. */
const char *session_exit_name(const struct session *session);

/* Of session_list.c: counts what was carried since the last time. Before the exit changes. */
void session_tally(struct session *session);

/* Of session_record.c: a connection to the server is there, moves, and is over. */
void session_record_connected(struct session *session);
void session_record_look(struct session *session);
void session_record_end(struct session *session, enum cause cause);
/* The connection to one server is over, and the client asks for another. There is a record. */
void session_record_next(struct session *session);

/* A line in the log of who did not get in. */
void session_tell_refused(struct session *session, enum cause cause);

/* Of session_transparent.c: in place of a handshake. */
void session_start_transparent(struct session *session);

/* Whether a transparent client's connection can be dialled before it is accepted: not if the name
 * counts that it will send, or that there is somebody who sends. */
bool session_can_hold(const struct session_env *env, const union address *client,
		      const union address *to);

/* Whether it is the address of an exit. */
bool session_is_for_exit(const struct config *config, const union address *to);

/* Whether the client of a forward is a connection that hawserd has just made, so that a dial would
 * bring the next one. Says so in the log. */
bool session_is_loop(const struct session *session, const struct destination *forward);

#endif
