/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line of the access log that tells of one session. Pure. */
#ifndef HAWSER_ACCESS_LOG_ACCESS_LINE_H
#define HAWSER_ACCESS_LOG_ACCESS_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

/* More than any line has. */
#define ACCESS_LINE_MAX 8192

/* What one link carried of a session. */
struct access_link {
	const char *name;
	uint64_t up; /* bytes */
	uint64_t down;
};

/* Texts are NULL or "" where there is none; all are borrowed. */
struct access_record {
	uint64_t time_ms; /* of the end, since 1970 */
	uint64_t session; /* its number */
	const union address *client;
	const char *user; /* or token */
	const char *protocol;
	const char *asked;	     /* what the client asked for */
	const union address *server; /* connected to; NULL: nothing, or by an exit */
	const char *exit;
	const struct access_link *links;
	size_t link_count;
	uint64_t up;
	uint64_t down;
	double duration_s;
	const char *tier_up;
	const char *tier_down;
	const char *from; /* transport of the client */
	const char *to;	  /* of the server */
	const char *cause;
};

/* Fills out with words NAME=VALUE and a newline; a value in quotes where it needs them, with what
 * could be taken for something else as \xNN. Returns the length. */
size_t access_line_format(const struct access_record *record, char out[static ACCESS_LINE_MAX]);

/* The same for a value alone: "-" for none, quotes where it needs them. Returns out. */
const char *access_line_quote(const char *value, char *out, size_t size);

#endif
