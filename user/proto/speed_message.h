/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What router and exit say to each other about a speed test, byte by byte as in
 * docs/hop-protocol.md. Pure. */
#ifndef HAWSER_PROTO_SPEED_MESSAGE_H
#define HAWSER_PROTO_SPEED_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

/* In place of an IPv6 address in request and reply, so that who does not know of tests can tell
 * where the message ends. */
#define SPEED_ADDRESS_BYTES 16
#define SPEED_REPORT_BYTES  16
#define SPEED_ECHO_BYTES    8
#define SPEED_SECONDS_MAX   60 /* of one connection */
/* Bytes a day that a token has without speedtest= in its line. */
#define SPEED_DAY_BYTES UINT64_C(10000000000)

/* What the exit does on this connection. */
enum speed_kind {
	SPEED_SOURCE = 1, /* sends */
	SPEED_SINK = 2,	  /* takes, and reports how much */
	SPEED_ECHO = 3,	  /* sends back what comes */
};

struct speed_request {
	enum speed_kind kind;
	uint16_t seconds; /* 1 to SPEED_SECONDS_MAX */
	uint64_t test;	  /* connections of one test have the same number, drawn by lot */
};

/* Why an exit refuses; on the wire. */
enum speed_refusal {
	SPEED_TAKEN = 0,
	SPEED_BUSY = 1,	   /* another test of the token is under way */
	SPEED_USED_UP = 2, /* the bytes of the day */
	SPEED_OFF = 3,	   /* the token may have none */
	SPEED_CROWDED = 4, /* the test has as many connections as it may */
};

struct speed_verdict {
	enum speed_refusal refusal;
	uint32_t wait_s; /* until the limit ends; 0: it does not by itself */
	uint64_t bytes;	 /* a day, of SPEED_USED_UP; with SPEED_TAKEN, those that are left */
};

/* What a sink has taken so far. */
struct speed_report {
	uint64_t us; /* since it began */
	uint64_t bytes;
};

void speed_request_write(uint8_t out[static SPEED_ADDRESS_BYTES],
			 const struct speed_request *request);

/* False: there is no such kind, or it is too long. */
bool speed_request_read(const uint8_t in[static SPEED_ADDRESS_BYTES], struct speed_request *out);

void speed_verdict_write(uint8_t out[static SPEED_ADDRESS_BYTES],
			 const struct speed_verdict *verdict);

/* False: it is none. */
bool speed_verdict_read(const uint8_t in[static SPEED_ADDRESS_BYTES], struct speed_verdict *out);

void speed_report_write(uint8_t out[static SPEED_REPORT_BYTES], const struct speed_report *report);
void speed_report_read(const uint8_t in[static SPEED_REPORT_BYTES], struct speed_report *out);

#endif
