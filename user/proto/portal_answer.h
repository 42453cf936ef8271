/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the answer to a plain HTTP request says of the way that it was asked by: whether a captive
 * portal has answered in place of whom was asked. Pure. */
#ifndef HAWSER_PROTO_PORTAL_ANSWER_H
#define HAWSER_PROTO_PORTAL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTAL_REQUEST_MAX  768
#define PORTAL_LOCATION_MAX 512 /* with its NUL */

enum portal_word {
	PORTAL_NOTHING, /* no answer, or one that says nothing of the way */
	PORTAL_OPEN,	/* that of whom was asked */
	PORTAL_CLOSED,	/* that of a portal */
	PORTAL_MORE,	/* as yet it cannot be told */
};

struct portal_question {
	const char *url;    /* "http://HOST[:PORT][/PATH]" */
	bool nobody;	    /* is there who could answer */
	const char *answer; /* what the body begins with; NULL: there is none. Without nobody */
};

/* Writes the request and returns its length. */
size_t portal_request_write(char out[PORTAL_REQUEST_MAX], const struct portal_question *question);

/* Reads in[0..len), all that has come; end: no more will. With PORTAL_CLOSED location is where the
 * portal sends browsers: an absolute http or https URL of characters that a URL may have, or "".
 *
 * Of a head that is too long the status counts, and a location that was there.
 * A server that is in trouble is no portal: its errors (4xx, 5xx but for 511 of RFC 6585), and that
 * it sends to another place of its own, say nothing. */
enum portal_word portal_answer_read(const struct portal_question *question, const uint8_t *in,
				    size_t len, bool end, char location[PORTAL_LOCATION_MAX]);

#endif
