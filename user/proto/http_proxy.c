// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads one request head. CONNECT opens a tunnel; a plain request is rewritten to origin-form and
 * its connection to one request and one response, which are then relayed unread. */
#include "proto/http_proxy.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bounds the work for one head: every field is held against every Connection field. */
#define FIELDS_MAX 128

/* handshake->stage: what a refusal may look like (RFC 9110 section 9.3.2). */
enum http_stage {
	STAGE_BODY_ALLOWED,
	STAGE_HEAD_METHOD,
};

/* A piece of the head; not NUL-terminated, and without control bytes but tabs. */
struct span {
	const char *at;
	size_t len;
};

struct request {
	struct span method, target, version;
	struct span fields; /* all header lines and the empty one */
};

/* The functions below return NULL when they have nothing against the request. */
struct refusal {
	enum cause cause;
	unsigned int status;
	const char *text;
};

static const struct refusal malformed = {CAUSE_BAD_REQUEST, 400, "malformed request"};
static const struct refusal too_large = {CAUSE_BAD_REQUEST, 431,
					 "request head over 8192 bytes or 128 fields"};
static const struct refusal bad_version = {CAUSE_BAD_REQUEST, 505,
					   "only HTTP/1.0 and HTTP/1.1 are spoken here"};
static const struct refusal bad_host = {CAUSE_BAD_REQUEST, 400, "no valid host and port"};
static const struct refusal bad_scheme = {CAUSE_BAD_REQUEST, 400,
					  "only http:// URLs; use CONNECT for all else"};
static const struct refusal origin_form = {
	CAUSE_BAD_REQUEST, 400, "this is a proxy: ask for CONNECT host:port or a full http:// URL"};
static const struct refusal no_trace = {CAUSE_COMMAND_NOT_SUPPORTED, 501, "TRACE is not supported"};
static const struct refusal not_allowed = {CAUSE_NOT_ALLOWED, 403, "not allowed"};
static const struct refusal no_password = {CAUSE_AUTH_FAILED, 407, "user name and password needed"};
static const struct refusal wrong_password = {CAUSE_AUTH_FAILED, 407,
					      "wrong user name or password"};
static const struct refusal no_memory = {CAUSE_RESOURCES, 503, "out of memory"};

static const char *reason_phrase(unsigned int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 407:
		return "Proxy Authentication Required";
	case 408:
		return "Request Timeout";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Bad Gateway";
	}
}

static void append_refusal(const struct handshake *handshake, unsigned int status, const char *text,
			   struct handshake_out *out)
{
	char answer[HANDSHAKE_OUT_MAX];
	char body[128];
	int len;

	len = snprintf(body, sizeof(body), "hawserd: %s\n", text);
	len = snprintf(answer, sizeof(answer),
		       "HTTP/1.1 %u %s\r\n"
		       "%s"
		       "Connection: close\r\n"
		       "Content-Type: text/plain\r\n"
		       "Content-Length: %d\r\n"
		       "\r\n"
		       "%s",
		       status, reason_phrase(status),
		       status == 407 ? "Proxy-Authenticate: Basic realm=\"hawser\"\r\n" : "", len,
		       handshake->stage == STAGE_HEAD_METHOD ? "" : body);
	handshake_out_append(out, answer, (size_t)len);
}

static bool span_is(struct span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

static bool span_is_nocase(struct span span, const char *text)
{
	return span.len == strlen(text) && strncasecmp(span.at, text, span.len) == 0;
}

static bool span_starts_nocase(struct span span, const char *text)
{
	return span.len >= strlen(text) && strncasecmp(span.at, text, strlen(text)) == 0;
}

static struct span span_skip(struct span span, size_t count)
{
	return (struct span){span.at + count, span.len - count};
}

static struct span span_trim(struct span span)
{
	while (span.len > 0 && isblank((unsigned char)span.at[0]))
		span = span_skip(span, 1);
	while (span.len > 0 && isblank((unsigned char)span.at[span.len - 1]))
		span.len--;
	return span;
}

/* Moves what stands before the separator from rest to part; false without a separator. */
static bool span_cut(struct span *rest, char separator, struct span *part)
{
	const char *end = memchr(rest->at, separator, rest->len);

	if (!end)
		return false;
	*part = (struct span){rest->at, (size_t)(end - rest->at)};
	*rest = span_skip(*rest, part->len + 1);
	return true;
}

/* RFC 9110 section 5.6.2. */
static bool is_token(struct span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (!isalnum((unsigned char)span.at[i]) && !strchr("!#$%&'*+-.^_`|~", span.at[i]))
			return false;
	return span.len > 0;
}

/* False at the empty line that ends the head. */
static bool next_line(struct span *rest, struct span *line)
{
	if (!span_cut(rest, '\n', line))
		return false;
	if (line->len > 0 && line->at[line->len - 1] == '\r')
		line->len--;
	return line->len > 0;
}

/* Demanding a token also refuses a folded line and a blank before the colon, which servers read
 * in different ways (RFC 9112 sections 5.1 and 5.2). */
static bool split_field(struct span line, struct span *name, struct span *value)
{
	if (!span_cut(&line, ':', name) || !is_token(*name))
		return false;
	*value = span_trim(line);
	return true;
}

static bool find_field(struct span fields, const char *wanted, struct span *value)
{
	struct span line, name;

	while (next_line(&fields, &line))
		if (split_field(line, &name, value) && span_is_nocase(name, wanted))
			return true;
	return false;
}

/* Leaves *head_len at 0 while the head has no end. A lone LF ends a line too (RFC 9112 section
 * 2.2), a lone CR never. */
static const struct refusal *find_head(struct span in, size_t *head_len)
{
	size_t line = 0;

	*head_len = 0;
	for (size_t i = 0; i < in.len; i++) {
		unsigned char byte = (unsigned char)in.at[i];

		if (byte == '\n') {
			if (i == line || (i == line + 1 && in.at[line] == '\r')) {
				*head_len = i + 1;
				return NULL;
			}
			line = i + 1;
		} else if (byte == '\r') {
			if (i + 1 < in.len && in.at[i + 1] != '\n')
				return &malformed;
		} else if (iscntrl(byte) && byte != '\t') {
			return &malformed;
		}
	}
	return NULL;
}

static const struct refusal *read_request(struct span head, struct request *request)
{
	struct span rest = head;
	struct span line, name, value, version;
	size_t fields = 0;

	if (!next_line(&rest, &line) || !span_cut(&line, ' ', &request->method) ||
	    !is_token(request->method) || !span_cut(&line, ' ', &request->target) ||
	    request->target.len == 0 || memchr(request->target.at, '\t', request->target.len))
		return &malformed;
	request->version = version = line;
	request->fields = rest;

	if (version.len != strlen("HTTP/1.1") || memcmp(version.at, "HTTP/", 5) != 0 ||
	    !isdigit((unsigned char)version.at[5]) || version.at[6] != '.' ||
	    !isdigit((unsigned char)version.at[7]))
		return &malformed;
	if (version.at[5] != '1')
		return &bad_version;
	for (; next_line(&rest, &line); fields++)
		if (!split_field(line, &name, &value))
			return &malformed;
	return fields > FIELDS_MAX ? &too_large : NULL;
}

/* The value of Proxy-Authorization: RFC 7617. */
static bool check_basic(const struct users *users, struct span value)
{
	char text[USER_NAME_MAX + 1 + USER_PASSWORD_MAX];
	struct span name, password = {text, 0};
	bool ok;

	if (!span_starts_nocase(value, "Basic "))
		return false;
	value = span_trim(span_skip(value, strlen("Basic ")));
	ok = sodium_base642bin((unsigned char *)text, sizeof(text), value.at, value.len, NULL,
			       &password.len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
	     span_cut(&password, ':', &name) &&
	     users_check(users, name.at, name.len, password.at, password.len);
	sodium_memzero(text, sizeof(text));
	return ok;
}

static const struct refusal *check_access(const struct handshake *handshake, struct span fields)
{
	struct span value;

	if (handshake->access == ACCESS_OPEN)
		return NULL;
	if (handshake->access == ACCESS_DENIED)
		return &not_allowed;
	if (!find_field(fields, "Proxy-Authorization", &value))
		return &no_password;
	return check_basic(handshake->users, value) ? NULL : &wrong_password;
}

/* default_port is ":80", or "" where a port must be given. */
static const struct refusal *read_authority(struct span authority, const char *default_port,
					    struct destination *destination)
{
	char text[DESTINATION_TEXT_MAX];
	bool has_port =
		memchr(authority.at, ':', authority.len) && authority.at[authority.len - 1] != ']';
	int len = snprintf(text, sizeof(text), "%.*s%s", (int)authority.len, authority.at,
			   has_port ? "" : default_port);

	if ((size_t)len >= sizeof(text) || destination_parse(text, destination) < 0)
		return &bad_host;
	return NULL;
}

static const struct refusal *split_uri(struct span uri, struct span *authority, struct span *path)
{
	static const char scheme[] = "http://";

	if (!span_starts_nocase(uri, scheme))
		return memmem(uri.at, uri.len, "://", 3) && uri.at[0] != '/' ? &bad_scheme
									     : &origin_form;
	*path = *authority = span_skip(uri, strlen(scheme));
	while (path->len > 0 && path->at[0] != '/' && path->at[0] != '?')
		*path = span_skip(*path, 1);
	authority->len -= path->len;
	return NULL;
}

/* Whether a Connection field lists the name, which makes that field hop-by-hop. */
static bool is_listed(struct span fields, struct span name)
{
	struct span line, field, list, option;

	while (next_line(&fields, &line)) {
		if (!split_field(line, &field, &list) || !span_is_nocase(field, "Connection"))
			continue;
		while (list.len > 0) {
			if (!span_cut(&list, ',', &option)) {
				option = list;
				list.len = 0;
			}
			option = span_trim(option);
			if (option.len == name.len &&
			    strncasecmp(option.at, name.at, name.len) == 0)
				return true;
		}
	}
	return false;
}

static bool is_any_of(struct span name, const char *const *list)
{
	while (*list && !span_is_nocase(name, *list))
		list++;
	return *list != NULL;
}

/* RFC 9110 section 7.6.1. How long the body is must not get lost, whatever Connection lists. */
static bool is_forwarded(struct span fields, struct span name)
{
	static const char *const framing[] = {"Content-Length", "Transfer-Encoding", NULL};
	static const char *const replaced[] = {
		"Connection", "Proxy-Connection", "Proxy-Authorization",
		"Keep-Alive", "Upgrade",	  "Host",
		NULL};

	if (is_any_of(name, framing))
		return true;
	return !is_any_of(name, replaced) && !is_listed(fields, name);
}

/* "Connection: close" keeps a second request, maybe for another host, off this connection. Of the
 * upgrades only WebSocket passes: its client never sends a second request either. Host comes from
 * the URI, as RFC 9112 section 3.2.2 demands. */
static const struct refusal *rewrite_head(struct handshake *handshake,
					  const struct request *request, struct span authority,
					  struct span path)
{
	struct span lines = request->fields;
	struct span line, name, value;
	const char *missing = path.len > 0 && path.at[0] == '/' ? "" : "/";
	char *head = NULL;
	size_t head_len = 0;
	FILE *stream = open_memstream(&head, &head_len);

	if (!stream)
		return &no_memory;
	if (path.len == 0 && span_is(request->method, "OPTIONS"))
		missing = "*"; /* RFC 9112 section 3.2.4 */
	fprintf(stream, "%.*s %s%.*s %.*s\r\nHost: %.*s\r\n", (int)request->method.len,
		request->method.at, missing, (int)path.len, path.at, (int)request->version.len,
		request->version.at, (int)authority.len, authority.at);
	while (next_line(&lines, &line))
		if (split_field(line, &name, &value) && is_forwarded(request->fields, name))
			fprintf(stream, "%.*s\r\n", (int)line.len, line.at);
	if (find_field(request->fields, "Upgrade", &value) && span_is_nocase(value, "websocket"))
		fprintf(stream, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	else
		fprintf(stream, "Connection: close\r\n\r\n");
	if (fclose(stream) != 0) {
		free(head);
		return &no_memory;
	}
	handshake->head = (uint8_t *)head;
	handshake->head_len = head_len;
	return NULL;
}

static const struct refusal *take_head(struct handshake *handshake, struct span head)
{
	struct request request;
	struct span authority, path;
	const struct refusal *refusal = read_request(head, &request);

	if (refusal)
		return refusal;
	if (span_is(request.method, "HEAD"))
		handshake->stage = STAGE_HEAD_METHOD;
	if (span_is(request.method, "CONNECT"))
		handshake->protocol = PROTOCOL_HTTP_CONNECT;
	refusal = check_access(handshake, request.fields);
	if (refusal)
		return refusal;
	if (span_is(request.method, "TRACE"))
		return &no_trace;
	if (handshake->protocol == PROTOCOL_HTTP_CONNECT)
		return read_authority(request.target, "", &handshake->destination);

	refusal = split_uri(request.target, &authority, &path);
	if (!refusal)
		refusal = read_authority(authority, ":80", &handshake->destination);
	if (!refusal)
		refusal = rewrite_head(handshake, &request, authority, path);
	return refusal;
}

enum parse http_proxy_step(struct handshake *handshake, const uint8_t *in, size_t len,
			   size_t *consumed, struct handshake_out *out)
{
	struct span head = {(const char *)in, len < HANDSHAKE_IN_MAX ? len : HANDSHAKE_IN_MAX};
	const struct refusal *refusal;
	size_t head_len;

	*consumed = 0;
	refusal = find_head(head, &head_len);
	if (!refusal && head_len == 0) {
		if (len < HANDSHAKE_IN_MAX)
			return PARSE_MORE;
		refusal = &too_large;
	}
	if (!refusal) {
		head.len = head_len;
		refusal = take_head(handshake, head);
	}
	if (refusal) {
		handshake->cause = refusal->cause;
		append_refusal(handshake, refusal->status, refusal->text, out);
		return PARSE_BAD;
	}
	*consumed = head_len;
	return PARSE_DONE;
}

void http_proxy_reply(const struct handshake *handshake, enum cause cause,
		      const union address *bound, struct handshake_out *out)
{
	static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	const struct cause_info *info = cause_info(cause);

	(void)bound;
	if (cause != CAUSE_NONE)
		append_refusal(handshake, info->http_status, info->text, out);
	else if (handshake->protocol == PROTOCOL_HTTP_CONNECT)
		handshake_out_append(out, established, strlen(established));
}
