/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long an HTTP/1.x message is, and what its connection may do after it (RFC 9112 sections 6 and
 * 9). What two readers may read in two ways is refused. Pure. */
#ifndef HAWSER_PROTO_HTTP_MESSAGE_H
#define HAWSER_PROTO_HTTP_MESSAGE_H

#include "proto/http_chunked.h"

enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_UNTIL_CLOSE, /* a response's only */
};

struct http_request {
	enum http_framing framing;
	uint64_t length; /* of HTTP_BODY_LENGTH */
	bool http10;
	bool head_method;
	bool repeatable; /* sent twice it does no harm, and it has no body */
	bool keep;	 /* another request may follow */
	bool upgrade;	 /* asks for another protocol */
};

struct http_response {
	enum http_framing framing;
	uint64_t length; /* with has_length: Content-Length, also where there is no body */
	bool has_length;
	unsigned int status;
	bool http10;
	bool keep; /* the origin takes another request */
};

/* The framing of a request with these fields, which have been checked; all of *request but
 * repeatable's half that depends on the method. 0, -EINVAL, or -ENOTSUP: a coding unheard of. */
int http_read_request(struct span method, int minor_version, struct span fields,
		      struct http_request *request);

/* The whole head of a response to that request. *status_line and *fields point into it. 0 or
 * -EINVAL. */
int http_read_response(struct span head, const struct http_request *request,
		       struct http_response *response, struct span *reason, struct span *fields);

/* A body that streams by. */
struct http_body {
	enum http_framing framing;
	uint64_t left;
	struct http_chunked chunked;
	bool done;
};

void http_body_begin(struct http_body *body, enum http_framing framing, uint64_t length);

/* As http_chunked_take(), for every framing. */
enum parse http_body_take(struct http_body *body, uint8_t *bytes, size_t len, size_t *consumed,
			  size_t *payload);

#endif
