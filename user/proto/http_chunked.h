/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chunked transfer coding (RFC 9112 section 7.1): takes it off, strictly. Extensions are
 * dropped, trailers kept. Pure. */
#ifndef HAWSER_PROTO_HTTP_CHUNKED_H
#define HAWSER_PROTO_HTTP_CHUNKED_H

#include "proto/http_head.h"

#define HTTP_TRAILERS_MAX 8192

enum http_chunked_state {
	CHUNKED_SIZE,
	CHUNKED_BLANKS, /* before an extension */
	CHUNKED_EXTENSION,
	CHUNKED_SIZE_LF,
	CHUNKED_DATA,
	CHUNKED_DATA_CR,
	CHUNKED_DATA_LF,
	CHUNKED_TRAILERS,
	CHUNKED_DONE,
};

/* All zero to begin with. */
struct http_chunked {
	enum http_chunked_state state;
	uint64_t left; /* of the chunk */
	unsigned int digits;
	unsigned int extension; /* bytes */
	struct http_scan scan;
	uint8_t *trailers; /* with the empty line; malloc'ed */
	size_t trailers_len;
};

/* Takes bytes[0..len): *consumed says how much, which is less only at the end of the body; what was
 * in the chunks is then in bytes[0..*payload). */
enum parse http_chunked_take(struct http_chunked *chunked, uint8_t *bytes, size_t len,
			     size_t *consumed, size_t *payload);

void http_chunked_free(struct http_chunked *chunked);

#endif
