/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads one request head. CONNECT opens a tunnel; a plain request is rewritten for its origin. */
#include "proto/handshake_private.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http_forward.h"

/* handshake->stage: what a refusal may look like (RFC 9110 section 9.3.2). */
enum http_stage {
	STAGE_BODY_ALLOWED,
	STAGE_HEAD_METHOD,
};

struct request {
	struct span method, target;
	int minor_version;
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
					 "request head over 65536 bytes, 256 fields, or 256 "
					 "members of Connection"};
static const struct refusal bad_version = {CAUSE_BAD_REQUEST, 505,
					   "only HTTP/1.0 and HTTP/1.1 are spoken here"};
static const struct refusal bad_host = {CAUSE_BAD_REQUEST, 400, "no valid host and port"};
static const struct refusal bad_scheme = {CAUSE_BAD_REQUEST, 400,
					  "only http:// URLs; use CONNECT for all else"};
static const struct refusal origin_form = {
	CAUSE_BAD_REQUEST, 400, "this is a proxy: ask for CONNECT host:port or a full http:// URL"};
static const struct refusal bad_framing = {CAUSE_BAD_REQUEST, 400,
					   "the end of the body is not told, or told twice"};
static const struct refusal bad_coding = {CAUSE_BAD_REQUEST, 501,
					  "the only transfer coding spoken here is chunked"};
static const struct refusal last_hop = {CAUSE_COMMAND_NOT_SUPPORTED, 200,
					"the last hop of a request with Max-Forwards: 0"};
static const struct refusal no_trace = {CAUSE_COMMAND_NOT_SUPPORTED, 501, "TRACE is not supported"};
static const struct refusal not_allowed = {CAUSE_NOT_ALLOWED, 403, "not allowed"};
static const struct refusal no_password = {CAUSE_AUTH_FAILED, 407, "user name and password needed"};
static const struct refusal wrong_password = {CAUSE_AUTH_FAILED, 407,
					      "wrong user name or password"};
static const struct refusal no_memory = {CAUSE_RESOURCES, 503, "out of memory"};

static const char *reason_phrase(unsigned int status)
{
	switch (status) {
	case 200:
		return "OK";
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

/* What stands before the fields, and that the fields are some. */
static const struct refusal *read_request(struct span head, struct request *request)
{
	struct span line;
	int err;

	if (!http_next_line(&head, &line) || !span_cut(&line, ' ', &request->method) ||
	    !span_is_token(request->method) || !span_cut(&line, ' ', &request->target) ||
	    request->target.len == 0 || memchr(request->target.at, '\t', request->target.len))
		return &malformed;
	request->fields = head;
	request->minor_version = http_minor_version(line);
	if (request->minor_version < 0)
		return request->minor_version == -EPROTONOSUPPORT ? &bad_version : &malformed;
	err = http_check_fields(head);
	if (err == -E2BIG)
		return &too_large;
	return err ? &malformed : NULL;
}

/* The value of Proxy-Authorization: RFC 7617. */
static bool check_basic(struct handshake *handshake, struct span value)
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
	     handshake_check_password(handshake, name.at, name.len, password.at, password.len);
	sodium_memzero(text, sizeof(text));
	return ok;
}

static const struct refusal *check_access(struct handshake *handshake, struct span fields)
{
	struct span value;

	if (handshake->access == ACCESS_OPEN)
		return NULL;
	if (handshake->access == ACCESS_DENIED)
		return &not_allowed;
	if (!http_next_field(&fields, "Proxy-Authorization", &value))
		return &no_password;
	return check_basic(handshake, value) ? NULL : &wrong_password;
}

/* default_port is ":80", or "" where a port must be given. */
static const struct refusal *read_authority(struct span authority, const char *default_port,
					    struct destination *destination)
{
	char text[DESTINATION_TEXT_MAX];
	const bool has_port = authority.len > 0 && memchr(authority.at, ':', authority.len) &&
			      authority.at[authority.len - 1] != ']';
	int len = snprintf(text, sizeof(text), "%.*s%s", (int)authority.len, authority.at,
			   has_port ? "" : default_port);

	if ((size_t)len >= sizeof(text) || destination_parse(text, destination) < 0)
		return &bad_host;
	return NULL;
}

/* RFC 3986 section 3.2.1. What else may stand there, others may take for an end of the host. */
static bool is_userinfo(struct span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (!isalnum((unsigned char)span.at[i]) && !strchr("-._~!$&'()*+,;=:%", span.at[i]))
			return false;
	return true;
}

static const struct refusal *split_uri(struct span uri, struct span *authority, struct span *path)
{
	static const char scheme[] = "http://";
	struct span userinfo;

	if (!span_starts_nocase(uri, scheme))
		return memmem(uri.at, uri.len, "://", 3) && uri.at[0] != '/' ? &bad_scheme
									     : &origin_form;
	*path = *authority = span_skip(uri, strlen(scheme));
	while (path->len > 0 && path->at[0] != '/' && path->at[0] != '?')
		*path = span_skip(*path, 1);
	authority->len -= path->len;
	/* Names and passwords in URLs are not for the origin (RFC 9110 section 4.2.4). */
	if (span_cut(authority, '@', &userinfo) && !is_userinfo(userinfo))
		return &bad_host;
	/* RFC 3986 section 3.2.3: the port may be empty. */
	if (authority->len > 0 && authority->at[authority->len - 1] == ':')
		authority->len--;
	return NULL;
}

/* A request that RFC 9110 section 7.6.2 does not let go on. */
static bool ends_here(const struct request *request)
{
	struct span fields = request->fields, value;
	uint64_t number;

	return span_is(request->method, "OPTIONS") &&
	       http_next_field(&fields, "Max-Forwards", &value) && span_to_number(value, &number) &&
	       number == 0;
}

/* More than one Host is as bad as none that is right (RFC 9112 section 3.2); which it names does
 * not matter, as the target counts. */
static bool has_two_hosts(struct span fields)
{
	struct span value;

	return http_next_field(&fields, "Host", &value) && http_next_field(&fields, "Host", &value);
}

static const struct refusal *take_plain(struct handshake *handshake, const struct request *request)
{
	struct http_target target = {.method = request->method};
	const struct refusal *refusal = split_uri(request->target, &target.host, &target.path);
	int err;

	if (!refusal)
		refusal = read_authority(target.host, ":80", &handshake->destination);
	if (refusal)
		return refusal;
	if (handshake->scan.bare_lf || has_two_hosts(request->fields))
		return &malformed;
	if (ends_here(request))
		return &last_hop;
	err = http_read_request(request->method, request->minor_version, request->fields,
				&handshake->http);
	if (err)
		return err == -ENOTSUP ? &bad_coding : &bad_framing;
	handshake->head = http_forward_request(&target, &handshake->http, request->fields,
					       &handshake->head_len);
	return handshake->head ? NULL : &no_memory;
}

static const struct refusal *take_head(struct handshake *handshake, struct span head)
{
	struct request request;
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
	return take_plain(handshake, &request);
}

static enum parse refuse(struct handshake *handshake, const struct refusal *refusal,
			 struct handshake_out *out)
{
	handshake->cause = refusal->cause;
	handshake->wrong_password = refusal == &wrong_password;
	append_refusal(handshake, refusal->status, refusal->text, out);
	return PARSE_BAD;
}

enum parse http_proxy_step(struct handshake *handshake, const uint8_t *in, size_t len,
			   size_t *consumed, struct handshake_out *out)
{
	const struct refusal *refusal;
	size_t skipped = 0;

	*consumed = 0;
	/* Some clients end a body with a line too many (RFC 9112 section 2.2). */
	while (handshake->scan.at == 0 && len - skipped >= 2 &&
	       memcmp(in + skipped, "\r\n", 2) == 0)
		skipped += 2;
	in += skipped;
	len -= skipped;
	*consumed = skipped;
	if (handshake->scan.at == 0 && len == 1 && in[0] == '\r')
		return PARSE_MORE;
	if (len > HTTP_HEAD_MAX)
		len = HTTP_HEAD_MAX;
	switch (http_scan_head(&handshake->scan, in, len)) {
	case PARSE_MORE:
		return len < HTTP_HEAD_MAX ? PARSE_MORE : refuse(handshake, &too_large, out);
	case PARSE_BAD:
		return refuse(handshake, &malformed, out);
	default:
		break;
	}
	refusal = take_head(handshake, (struct span){(const char *)in, handshake->scan.at});
	if (refusal)
		return refuse(handshake, refusal, out);
	*consumed += handshake->scan.at;
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

void http_proxy_next(struct handshake *handshake)
{
	free(handshake->head);
	handshake->head = NULL;
	handshake->head_len = 0;
	handshake->protocol = PROTOCOL_HTTP;
	handshake->stage = STAGE_BODY_ALLOWED;
	handshake->scan = (struct http_scan){0};
}
