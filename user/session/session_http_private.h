/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What session_http.c, requests, and session_http_response.c, their responses, share. */
#ifndef HAWSER_SESSION_SESSION_HTTP_PRIVATE_H
#define HAWSER_SESSION_SESSION_HTTP_PRIVATE_H

#include <ev.h>

#include "base/write_pause.h"
#include "session/pending.h"
#include "session/session_private.h"

/* Taken at once, so that so much at most is held of a body whose receiver is slow. */
#define HTTP_READ_BYTES 65536

struct session_http {
	ev_io client, server;
	struct write_pause to_client_pause, to_origin_pause;
	struct destination origin; /* of the connection, if there is one */
	bool served;		   /* it has carried a request before */
	bool answered;		   /* a response has begun, be it an interim one */
	bool headed;		   /* the head of the final response is on its way to the client */
	bool keep;		   /* the client may send another request */
	bool origin_deaf;	   /* it takes no more of the request, but may still answer */
	struct http_body up, down;
	struct http_response response;
	uint8_t *in; /* the beginning of a response */
	size_t in_len;
	size_t in_size;
	struct http_scan scan;
	struct pending to_origin, to_client;
};

/* Of the worker's buffer, with room for a chunk's head before it. */
uint8_t *http_buffer(const struct session *session);

const struct http_request *http_request_of(const struct session *session);
void http_count(struct session *session, struct flow *flow, size_t n);

/* All below return whether the exchange goes on; else it is over, and maybe the session. */

/* The client learns of the cause by a status if it has not been told another one. */
bool http_fail(struct session *session, enum cause cause);

/* The connection to the origin ended before its response. */
bool http_no_response(struct session *session);

/* The response ends too early. */
bool http_cut_short(struct session *session);

/* Of session_http_response.c: reads once from the origin, and passes on what came. */
bool http_pump_down(struct session *session);

/* Nothing can be sent to the client, for this errno. */
bool http_client_is_gone(struct session *session, int err);

#endif
