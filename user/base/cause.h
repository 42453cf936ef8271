/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a session failed or ended early, and what each front end says of it. */
#ifndef HAWSER_BASE_CAUSE_H
#define HAWSER_BASE_CAUSE_H

#include <stdint.h>

enum cause {
	CAUSE_NONE, /* nothing failed: established, or ended in order */
	CAUSE_REFUSED,
	CAUSE_NETWORK_UNREACHABLE,
	CAUSE_HOST_UNREACHABLE,
	CAUSE_CONNECT_TIMEOUT,
	CAUSE_NOT_ALLOWED,
	CAUSE_AUTH_FAILED,
	CAUSE_NAME_NOT_FOUND,
	CAUSE_RESOLVE_FAILED, /* the resolver is down, silent, or answered SERVFAIL */
	CAUSE_NO_ORIGINAL,    /* a redirected client whose destination the kernel does not tell */
	CAUSE_NOT_MPTCP,      /* mptcp = on, and the connection fell back to TCP */
	CAUSE_COMMAND_NOT_SUPPORTED,
	CAUSE_ADDRESS_TYPE_NOT_SUPPORTED,
	CAUSE_BAD_REQUEST,
	CAUSE_PROXY_HEADER, /* missing or bad, from a source that must send one */
	CAUSE_HANDSHAKE_TIMEOUT,
	CAUSE_CROWDED,	    /* had to make room before it said where it wants to go */
	CAUSE_CLIENT_GONE,  /* the client left before the relay began */
	CAUSE_RESET,	    /* either side reset the relayed connection */
	CAUSE_BAD_RESPONSE, /* of a plain HTTP request: none, or not one of HTTP/1.x */
	CAUSE_BYTES_LOST,   /* by the kernel, after a fallback: see docs/kernel-notes.md */
	CAUSE_IDLE_TIMEOUT,
	CAUSE_HALF_CLOSED_TIMEOUT,
	CAUSE_CLOCK,	   /* time stamp too old or too new, although corrected */
	CAUSE_LIMIT,	   /* of a token's sessions */
	CAUSE_REVOKED,	   /* the session's token is not in the file any more */
	CAUSE_NO_EXIT,	   /* none answers, and when-no-exit = refuse */
	CAUSE_EXIT_SILENT, /* the exit did not answer in time */
	CAUSE_EXIT_BROKEN, /* the exit left, or does not speak the protocol */
	CAUSE_RESOURCES,   /* out of file descriptors or memory */
	CAUSE_KILLED,	   /* an administrator ended the session */
	CAUSE_STOPPED,	   /* hawserd stopped */
	CAUSE_OTHER,
	CAUSE_COUNT
};

struct cause_info {
	const char *name;     /* stable, for counters and JSON: "network-unreachable" */
	const char *text;     /* for people: "network unreachable" */
	uint8_t socks5_reply; /* RFC 1928 section 6 */
	uint16_t http_status; /* RFC 9110 section 15; 200 for CAUSE_NONE */
	uint8_t rank;	      /* of several failed attempts, the highest rank is reported */
};

/* Never NULL. The caller must pass cause < CAUSE_COUNT. */
const struct cause_info *cause_info(enum cause cause);

/* Maps a positive errno of socket(), connect(), read() or write(); CAUSE_OTHER if unknown. */
enum cause cause_from_errno(int err);

/* Maps the reply of an exit (RFC 1928 section 6); CAUSE_OTHER if unknown. */
enum cause cause_from_socks5_reply(uint8_t code);

#endif
