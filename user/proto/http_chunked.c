/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chunked transfer coding: takes it off, strictly. */
#include "proto/http_chunked.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_DIGITS_MAX 15
#define EXTENSION_MAX	1024

static unsigned int hex_value(uint8_t byte)
{
	return (unsigned int)(isdigit(byte) ? byte - '0' : tolower(byte) - 'a' + 10);
}

/* One byte of what is around the data. */
static enum parse take_framing(struct http_chunked *chunked, uint8_t byte)
{
	switch (chunked->state) {
	case CHUNKED_SIZE:
		if (isxdigit(byte)) {
			chunked->left = chunked->left << 4 | hex_value(byte);
			return ++chunked->digits <= SIZE_DIGITS_MAX ? PARSE_MORE : PARSE_BAD;
		}
		if (chunked->digits == 0)
			return PARSE_BAD;
		chunked->extension = 0;
		/* fall through */
	case CHUNKED_BLANKS:
		if (byte == '\r' && chunked->state == CHUNKED_SIZE)
			chunked->state = CHUNKED_SIZE_LF;
		else if (byte == ';')
			chunked->state = CHUNKED_EXTENSION;
		else if (byte == ' ' || byte == '\t')
			chunked->state = CHUNKED_BLANKS;
		else
			return PARSE_BAD;
		return ++chunked->extension <= EXTENSION_MAX ? PARSE_MORE : PARSE_BAD;
	case CHUNKED_EXTENSION:
		if (byte == '\r')
			chunked->state = CHUNKED_SIZE_LF;
		else if (iscntrl(byte) && byte != '\t')
			return PARSE_BAD;
		return ++chunked->extension <= EXTENSION_MAX ? PARSE_MORE : PARSE_BAD;
	case CHUNKED_SIZE_LF:
		chunked->state = chunked->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILERS;
		return byte == '\n' ? PARSE_MORE : PARSE_BAD;
	case CHUNKED_DATA_CR:
		chunked->state = CHUNKED_DATA_LF;
		return byte == '\r' ? PARSE_MORE : PARSE_BAD;
	default: /* CHUNKED_DATA_LF */
		chunked->state = CHUNKED_SIZE;
		chunked->digits = 0;
		return byte == '\n' ? PARSE_MORE : PARSE_BAD;
	}
}

/* The trailer section is a head without a first line. */
static enum parse take_trailers(struct http_chunked *chunked, const uint8_t *bytes, size_t len,
				size_t *taken)
{
	const size_t before = chunked->trailers_len;
	const size_t room = HTTP_TRAILERS_MAX - before;
	const size_t more = len < room ? len : room;
	uint8_t *grown = realloc(chunked->trailers, before + more + 1);
	enum parse result;

	*taken = 0;
	if (!grown)
		return PARSE_BAD;
	chunked->trailers = grown;
	memcpy(grown + before, bytes, more);
	result = http_scan_head(&chunked->scan, grown, before + more);
	chunked->trailers_len = chunked->scan.at;
	*taken = chunked->scan.at - before;
	if (result == PARSE_MORE)
		return chunked->trailers_len < HTTP_TRAILERS_MAX ? PARSE_MORE : PARSE_BAD;
	if (result == PARSE_BAD || chunked->scan.bare_lf ||
	    http_check_fields((struct span){(char *)grown, chunked->trailers_len}))
		return PARSE_BAD;
	chunked->state = CHUNKED_DONE;
	return PARSE_DONE;
}

enum parse http_chunked_take(struct http_chunked *chunked, uint8_t *bytes, size_t len,
			     size_t *consumed, size_t *payload)
{
	enum parse result = chunked->state == CHUNKED_DONE ? PARSE_DONE : PARSE_MORE;
	size_t at = 0, n;

	*payload = 0;
	while (at < len && result == PARSE_MORE) {
		switch (chunked->state) {
		case CHUNKED_DATA:
			n = len - at < chunked->left ? len - at : (size_t)chunked->left;
			memmove(bytes + *payload, bytes + at, n);
			*payload += n;
			chunked->left -= n;
			if (chunked->left == 0)
				chunked->state = CHUNKED_DATA_CR;
			break;
		case CHUNKED_TRAILERS:
			result = take_trailers(chunked, bytes + at, len - at, &n);
			break;
		default:
			result = take_framing(chunked, bytes[at]);
			n = 1;
		}
		at += n;
	}
	*consumed = at;
	return result;
}

void http_chunked_free(struct http_chunked *chunked)
{
	free(chunked->trailers);
	*chunked = (struct http_chunked){0};
}
