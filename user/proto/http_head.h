/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of an HTTP/1.x message: where it ends, its lines and fields (RFC 9112 sections 2 and 5).
 * Pure; nothing is copied. */
#ifndef HAWSER_PROTO_HTTP_HEAD_H
#define HAWSER_PROTO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/parse.h"

#define HTTP_HEAD_MAX	65536
#define HTTP_FIELDS_MAX 256 /* also of the members that Connection lists */

/* A piece of the head; not NUL-terminated, and without control bytes but tabs. */
struct span {
	const char *at;
	size_t len;
};

/* All zero to begin with. */
struct http_scan {
	size_t at;    /* bytes looked at; the length of the head after PARSE_DONE */
	size_t line;  /* where the current line begins */
	bool cr;      /* the last byte was CR */
	bool bare_lf; /* a line ended without CR */
};

/* Looks for the empty line that ends a head, from where the last call stopped; in[0..len) begins
 * with the head each time. A control byte is PARSE_BAD. */
enum parse http_scan_head(struct http_scan *scan, const uint8_t *in, size_t len);

bool span_is(struct span span, const char *text);
bool span_is_nocase(struct span span, const char *text);
bool span_starts_nocase(struct span span, const char *text);
bool span_is_any_of(struct span span, const char *const *list); /* whatever the case */
struct span span_skip(struct span span, size_t count);
struct span span_trim(struct span span);

/* Moves what stands before the separator from rest to part; false without a separator. */
bool span_cut(struct span *rest, char separator, struct span *part);

/* As span_cut, but the last part needs no separator; false when nothing is left. */
bool span_next_member(struct span *rest, char separator, struct span *part);

/* RFC 9110 section 5.6.2. */
bool span_is_token(struct span span);

/* Decimal digits only. False also for what does not fit 63 bits. */
bool span_to_number(struct span span, uint64_t *number);

/* The next line without its end; false at the empty one that ends the head. */
bool http_next_line(struct span *rest, struct span *line);

/* "HTTP/1.x": 0 or 1 for x; -EPROTONOSUPPORT for another major version, -EINVAL for no version. */
int http_minor_version(struct span text);

/* False for what is no field line. Demanding a token as the name also refuses a folded line and a
 * blank before the colon, which servers read in different ways (RFC 9112 sections 5.1, 5.2). */
bool http_split_field(struct span line, struct span *name, struct span *value);

/* 0; -EINVAL if one is none; -E2BIG if there are more than HTTP_FIELDS_MAX, or Connection lists
 * more members than that, empty ones too (RFC 9110 section 5.6.1.2). */
int http_check_fields(struct span fields);

/* Finds the next field of this name, whatever the case; rest begins as all fields. */
bool http_next_field(struct span *rest, const char *wanted, struct span *value);

/* Whether a field of this name lists the member, whatever the case. */
bool http_lists(struct span fields, const char *wanted, struct span member);

/* What Connection lists, sorted, for many questions. Of fields that have been checked. */
struct http_connection {
	struct span members[HTTP_FIELDS_MAX];
	size_t count;
};

void http_connection_read(struct http_connection *connection, struct span fields);
bool http_connection_lists(const struct http_connection *connection, struct span member);

#endif
