/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a proxy makes of a message's head. */
#include "proto/http_forward.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Of one connection (RFC 9110 section 7.6.1), or said anew by whoever forwards. */
static const char *const of_the_connection[] = {
	"Connection", "Content-Length", "Keep-Alive",	     "Proxy-Connection",
	"TE",	      "Upgrade",	"Transfer-Encoding", NULL};

/* Said anew, or for this proxy's eyes only; the first for the methods that it is made for. */
static const char *const of_the_request[] = {"Max-Forwards", "Host", "Proxy-Authorization", NULL};

/* What an origin says of passwords for a proxy is not this proxy's. */
static const char *const of_the_response[] = {"Proxy-Authenticate", "Proxy-Authentication-Info",
					      NULL};

/* RFC 9110 section 6.5.1: no trailer says where a message ends, where it goes, or who sends it. */
static const char *const not_in_trailers[] = {"Authorization",
					      "Content-Encoding",
					      "Content-Range",
					      "Content-Type",
					      "Cookie",
					      "Host",
					      "Max-Forwards",
					      "Set-Cookie",
					      "Trailer",
					      "Proxy-Authenticate",
					      "Proxy-Authorization",
					      "WWW-Authenticate",
					      NULL};

/* What Connection lists goes, but for what says where the message goes on from here. */
static void put_fields(FILE *stream, struct span fields, const char *const *dropped)
{
	struct http_connection connection;
	struct span line, name, value;

	http_connection_read(&connection, fields);
	while (http_next_line(&fields, &line))
		if (http_split_field(line, &name, &value) &&
		    !span_is_any_of(name, of_the_connection) && !span_is_any_of(name, dropped) &&
		    !http_connection_lists(&connection, name))
			fprintf(stream, "%.*s\r\n", (int)line.len, line.at);
}

static void put_value(FILE *stream, const char *name, struct span fields)
{
	struct span value;

	while (http_next_field(&fields, name, &value))
		fprintf(stream, "%s: %.*s\r\n", name, (int)value.len, value.at);
}

static void put_length(FILE *stream, enum http_framing framing, uint64_t length)
{
	if (framing == HTTP_BODY_LENGTH)
		fprintf(stream, "Content-Length: %" PRIu64 "\r\n", length);
	else if (framing == HTTP_BODY_CHUNKED)
		fprintf(stream, "Transfer-Encoding: chunked\r\n");
}

/* RFC 9110 section 7.6.3. */
static void put_via(FILE *stream, bool http10)
{
	fprintf(stream, "Via: 1.%d hawser\r\n", !http10);
}

static uint8_t *finish(FILE *stream, char **bytes)
{
	if (fclose(stream) == 0)
		return (uint8_t *)*bytes;
	free(*bytes);
	return NULL;
}

/* RFC 9110 section 7.6.2; 0 is answered by this proxy. */
static void put_max_forwards(FILE *stream, struct span fields)
{
	struct span value;
	uint64_t number;

	if (http_next_field(&fields, "Max-Forwards", &value) && span_to_number(value, &number) &&
	    number > 0)
		fprintf(stream, "Max-Forwards: %" PRIu64 "\r\n", number - 1);
}

uint8_t *http_forward_request(const struct http_target *target, const struct http_request *request,
			      struct span fields, size_t *len)
{
	static const struct span trailers = {"trailers", 8};
	const bool options = span_is(target->method, "OPTIONS");
	const struct span path = target->path;
	const char *missing = path.len > 0 && path.at[0] == '/' ? "" : "/";
	const bool te = http_lists(fields, "TE", trailers);
	char *bytes = NULL;
	FILE *stream = open_memstream(&bytes, len);

	if (!stream)
		return NULL;
	if (path.len == 0 && options)
		missing = "*"; /* RFC 9112 section 3.2.4 */
	fprintf(stream, "%.*s %s%.*s HTTP/1.1\r\nHost: %.*s\r\n", (int)target->method.len,
		target->method.at, missing, (int)path.len, path.at, (int)target->host.len,
		target->host.at);
	put_fields(stream, fields, of_the_request + !options);
	if (options)
		put_max_forwards(stream, fields);
	put_length(stream, request->framing, request->length);
	put_via(stream, request->http10);
	if (te)
		fprintf(stream, "TE: trailers\r\n");
	if (request->upgrade)
		put_value(stream, "Upgrade", fields);
	if (request->upgrade || te)
		fprintf(stream, "Connection: %s%s%s\r\n", te ? "TE" : "",
			te && request->upgrade ? ", " : "", request->upgrade ? "Upgrade" : "");
	fprintf(stream, "\r\n");
	return finish(stream, &bytes);
}

enum http_framing http_client_framing(const struct http_request *request,
				      const struct http_response *response)
{
	if (response->framing == HTTP_BODY_NONE || response->framing == HTTP_BODY_LENGTH)
		return response->framing;
	return request->http10 ? HTTP_BODY_UNTIL_CLOSE : HTTP_BODY_CHUNKED;
}

uint8_t *http_forward_response(const struct http_request *request,
			       const struct http_response *response, struct span reason,
			       struct span fields, bool keep, size_t *len)
{
	/* 426 says to which protocol to upgrade (RFC 9110 section 15.5.22). */
	const bool upgrade = response->status == 101 || response->status == 426;
	const bool interim = response->status < 200;
	enum http_framing framing = http_client_framing(request, response);
	char *bytes = NULL;
	FILE *stream = open_memstream(&bytes, len);

	if (!stream)
		return NULL;
	/* Of a body that is not sent the length may be told, but for these two (RFC 9110 section
	 * 8.6). */
	if (framing == HTTP_BODY_NONE && response->has_length && !interim &&
	    response->status != 204)
		framing = HTTP_BODY_LENGTH;
	fprintf(stream, "HTTP/1.1 %03u %.*s\r\n", response->status, (int)reason.len, reason.at);
	put_fields(stream, fields, of_the_response);
	put_length(stream, framing, response->length);
	put_via(stream, response->http10);
	if (upgrade)
		put_value(stream, "Upgrade", fields);
	if (!interim && !keep)
		fprintf(stream, "Connection: close%s\r\n", upgrade ? ", Upgrade" : "");
	else if (upgrade)
		fprintf(stream, "Connection: Upgrade\r\n");
	fprintf(stream, "\r\n");
	return finish(stream, &bytes);
}

uint8_t *http_forward_trailers(const struct http_chunked *chunked, size_t *len)
{
	char *bytes = NULL;
	FILE *stream = open_memstream(&bytes, len);

	if (!stream)
		return NULL;
	fprintf(stream, "0\r\n");
	put_fields(stream, (struct span){(char *)chunked->trailers, chunked->trailers_len},
		   not_in_trailers);
	fprintf(stream, "\r\n");
	return finish(stream, &bytes);
}
