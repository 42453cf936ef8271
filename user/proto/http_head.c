/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of an HTTP/1.x message. */
#include "proto/http_head.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUMBER_DIGITS 18

enum parse http_scan_head(struct http_scan *scan, const uint8_t *in, size_t len)
{
	while (scan->at < len) {
		const uint8_t byte = in[scan->at];
		const size_t line_len = scan->at - scan->line - (scan->cr ? 1 : 0);

		if (scan->cr && byte != '\n')
			return PARSE_BAD;
		if (iscntrl(byte) && byte != '\t' && byte != '\r' && byte != '\n')
			return PARSE_BAD;
		scan->at++;
		if (byte == '\n') {
			scan->bare_lf |= !scan->cr;
			scan->line = scan->at;
		}
		scan->cr = byte == '\r';
		if (byte == '\n' && line_len == 0)
			return PARSE_DONE;
	}
	return PARSE_MORE;
}

bool span_is(struct span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

bool span_is_nocase(struct span span, const char *text)
{
	return span.len == strlen(text) && strncasecmp(span.at, text, span.len) == 0;
}

bool span_starts_nocase(struct span span, const char *text)
{
	return span.len >= strlen(text) && strncasecmp(span.at, text, strlen(text)) == 0;
}

bool span_is_any_of(struct span span, const char *const *list)
{
	while (*list && !span_is_nocase(span, *list))
		list++;
	return *list != NULL;
}

struct span span_skip(struct span span, size_t count)
{
	return (struct span){span.at + count, span.len - count};
}

struct span span_trim(struct span span)
{
	while (span.len > 0 && isblank((unsigned char)span.at[0]))
		span = span_skip(span, 1);
	while (span.len > 0 && isblank((unsigned char)span.at[span.len - 1]))
		span.len--;
	return span;
}

bool span_cut(struct span *rest, char separator, struct span *part)
{
	const char *end = rest->len > 0 ? memchr(rest->at, separator, rest->len) : NULL;

	if (!end)
		return false;
	*part = (struct span){rest->at, (size_t)(end - rest->at)};
	*rest = span_skip(*rest, part->len + 1);
	return true;
}

bool span_next_member(struct span *rest, char separator, struct span *part)
{
	if (rest->len == 0)
		return false;
	if (!span_cut(rest, separator, part)) {
		*part = *rest;
		*rest = span_skip(*rest, rest->len);
	}
	*part = span_trim(*part);
	return true;
}

bool span_is_token(struct span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (!isalnum((unsigned char)span.at[i]) && !strchr("!#$%&'*+-.^_`|~", span.at[i]))
			return false;
	return span.len > 0;
}

bool span_to_number(struct span span, uint64_t *number)
{
	*number = 0;
	if (span.len == 0 || span.len > NUMBER_DIGITS)
		return false;
	for (size_t i = 0; i < span.len; i++) {
		if (!isdigit((unsigned char)span.at[i]))
			return false;
		*number = *number * 10 + (uint64_t)(span.at[i] - '0');
	}
	return true;
}

bool http_next_line(struct span *rest, struct span *line)
{
	if (!span_cut(rest, '\n', line))
		return false;
	if (line->len > 0 && line->at[line->len - 1] == '\r')
		line->len--;
	return line->len > 0;
}

int http_minor_version(struct span text)
{
	if (text.len != strlen("HTTP/1.1") || memcmp(text.at, "HTTP/", 5) != 0 ||
	    !isdigit((unsigned char)text.at[5]) || text.at[6] != '.' ||
	    !isdigit((unsigned char)text.at[7]))
		return -EINVAL;
	if (text.at[5] != '1')
		return -EPROTONOSUPPORT;
	return text.at[7] == '0' ? 0 : 1;
}

bool http_split_field(struct span line, struct span *name, struct span *value)
{
	if (!span_cut(&line, ':', name) || !span_is_token(*name))
		return false;
	*value = span_trim(line);
	return true;
}

/* How many members Connection lists; those that fit stand in connection, if that is not NULL. */
static size_t list_connection(struct span fields, struct http_connection *connection)
{
	struct span list, member;
	size_t count = 0;

	while (http_next_field(&fields, "Connection", &list))
		for (; span_next_member(&list, ',', &member); count++)
			if (connection && count < HTTP_FIELDS_MAX)
				connection->members[count] = member;
	return count;
}

int http_check_fields(struct span fields)
{
	struct span rest = fields, line, name, value;
	size_t count = 0;

	for (; http_next_line(&rest, &line); count++)
		if (!http_split_field(line, &name, &value))
			return -EINVAL;
	if (count > HTTP_FIELDS_MAX || list_connection(fields, NULL) > HTTP_FIELDS_MAX)
		return -E2BIG;
	return 0;
}

bool http_next_field(struct span *rest, const char *wanted, struct span *value)
{
	struct span line, name;

	while (http_next_line(rest, &line)) {
		if (!span_cut(&line, ':', &name) || !span_is_nocase(name, wanted))
			continue;
		*value = span_trim(line);
		return true;
	}
	return false;
}

bool http_lists(struct span fields, const char *wanted, struct span member)
{
	struct span list, listed;

	while (http_next_field(&fields, wanted, &list))
		while (span_next_member(&list, ',', &listed))
			if (listed.len == member.len &&
			    strncasecmp(listed.at, member.at, member.len) == 0)
				return true;
	return false;
}

static int compare_members(const void *a, const void *b)
{
	const struct span *one = a, *other = b;

	if (one->len != other->len)
		return one->len < other->len ? -1 : 1;
	return strncasecmp(one->at, other->at, one->len);
}

void http_connection_read(struct http_connection *connection, struct span fields)
{
	connection->count = list_connection(fields, connection);
	if (connection->count > HTTP_FIELDS_MAX)
		connection->count = HTTP_FIELDS_MAX;
	qsort(connection->members, connection->count, sizeof(*connection->members),
	      compare_members);
}

bool http_connection_lists(const struct http_connection *connection, struct span member)
{
	return bsearch(&member, connection->members, connection->count,
		       sizeof(*connection->members), compare_members) != NULL;
}
