/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a proxy makes of a message's head, on the way to the origin and back (RFC 9110 section 7.6,
 * RFC 9112 section 3.2): the fields of one connection stay on it. Pure. */
#ifndef HAWSER_PROTO_HTTP_FORWARD_H
#define HAWSER_PROTO_HTTP_FORWARD_H

#include "proto/http_message.h"

struct http_target {
	struct span method;
	struct span host; /* for the Host field */
	struct span path; /* with the query; may be empty */
};

/* All below return malloc'ed bytes, NULL when out of memory. */

/* What the origin gets for a request with these fields. */
uint8_t *http_forward_request(const struct http_target *target, const struct http_request *request,
			      struct span fields, size_t *len);

/* What the client gets for a response with these fields, whose body follows in the framing of
 * http_client_framing(). keep: another request may follow. */
uint8_t *http_forward_response(const struct http_request *request,
			       const struct http_response *response, struct span reason,
			       struct span fields, bool keep, size_t *len);

/* The end of a chunked body, with the trailers of chunked that may go on. */
uint8_t *http_forward_trailers(const struct http_chunked *chunked, size_t *len);

/* How the client gets the response's body: as it came, but that its end is told wherever the client
 * understands it. */
enum http_framing http_client_framing(const struct http_request *request,
				      const struct http_response *response);

#endif
