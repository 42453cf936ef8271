/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long an HTTP/1.x message is, and what its connection may do after it. */
#include "proto/http_message.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* RFC 9110 section 9.2.2. Method names know their case. */
static const char *const idempotent[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};

static const struct span close_option = {"close", 5};

/* *found: there is one. Where it stands more than once, all must say the same. */
static int read_length(struct span fields, bool once, uint64_t *length, bool *found)
{
	struct span value, member;
	uint64_t number;

	*found = false;
	while (http_next_field(&fields, "Content-Length", &value)) {
		if (value.len == 0)
			return -EINVAL;
		while (span_next_member(&value, ',', &member)) {
			if (!span_to_number(member, &number) ||
			    (*found && (once || number != *length)))
				return -EINVAL;
			*length = number;
			*found = true;
		}
		if (value.at[-1] == ',') /* an empty member is the last one */
			return -EINVAL;
	}
	return 0;
}

/* *found: there is one, and it is "chunked" alone, as nothing else was asked for. */
static int read_coding(struct span fields, bool *found)
{
	struct span value;

	*found = false;
	while (http_next_field(&fields, "Transfer-Encoding", &value)) {
		if (*found)
			return -EINVAL;
		if (!span_is_nocase(value, "chunked"))
			return -ENOTSUP;
		*found = true;
	}
	return 0;
}

/* HTTP/1.0 knows no codings; and where both are, one of them is a lie. */
static int read_framing(struct span fields, bool is_request, bool http10, uint64_t *length,
			bool *has_length, bool *chunked)
{
	int err = read_length(fields, is_request, length, has_length);

	if (!err)
		err = read_coding(fields, chunked);
	if (!err && *chunked && (*has_length || http10))
		err = -EINVAL;
	return err;
}

int http_read_request(struct span method, int minor_version, struct span fields,
		      struct http_request *request)
{
	static const struct span upgrade = {"upgrade", 7};
	struct span rest = fields, value;
	bool has_length, chunked;
	int err;

	*request = (struct http_request){.http10 = minor_version == 0};
	err = read_framing(fields, true, request->http10, &request->length, &has_length, &chunked);
	if (err)
		return err;
	request->framing = chunked	? HTTP_BODY_CHUNKED
			   : has_length ? HTTP_BODY_LENGTH
					: HTTP_BODY_NONE;
	request->head_method = span_is(method, "HEAD");
	for (size_t i = 0; i < sizeof(idempotent) / sizeof(*idempotent); i++)
		request->repeatable |= span_is(method, idempotent[i]);
	request->repeatable &= !chunked && request->length == 0;
	/* RFC 9112 section 9.3: never with an HTTP/1.0 client. */
	request->keep = !request->http10 && !http_lists(fields, "Connection", close_option) &&
			!http_lists(fields, "Proxy-Connection", close_option);
	request->upgrade = !request->http10 && http_lists(fields, "Connection", upgrade) &&
			   http_next_field(&rest, "Upgrade", &value) && value.len > 0;
	return 0;
}

static int read_status_line(struct span line, struct http_response *response, struct span *reason)
{
	struct span version, code;
	int minor;

	if (!span_cut(&line, ' ', &version))
		return -EINVAL;
	minor = http_minor_version(version);
	if (minor < 0)
		return -EINVAL;
	/* Many leave out the blank before a reason that is empty. */
	if (!span_cut(&line, ' ', &code)) {
		code = line;
		line.len = 0;
	}
	if (code.len != 3 || code.at[0] < '1' || !isdigit((unsigned char)code.at[0]) ||
	    !isdigit((unsigned char)code.at[1]) || !isdigit((unsigned char)code.at[2]))
		return -EINVAL;
	response->status = (unsigned int)((code.at[0] - '0') * 100 + (code.at[1] - '0') * 10 +
					  (code.at[2] - '0'));
	response->http10 = minor == 0;
	*reason = line;
	return 0;
}

int http_read_response(struct span head, const struct http_request *request,
		       struct http_response *response, struct span *reason, struct span *fields)
{
	struct span line = {head.at, 0};
	bool chunked;

	*response = (struct http_response){0};
	if (!http_next_line(&head, &line) || read_status_line(line, response, reason))
		return -EINVAL;
	*fields = head;
	if (http_check_fields(head) ||
	    read_framing(head, false, response->http10, &response->length, &response->has_length,
			 &chunked))
		return -EINVAL;
	response->keep = !response->http10 && !http_lists(head, "Connection", close_option);
	/* RFC 9112 section 6.3. */
	if (request->head_method || response->status < 200 || response->status == 204 ||
	    response->status == 304)
		response->framing = HTTP_BODY_NONE;
	else if (chunked)
		response->framing = HTTP_BODY_CHUNKED;
	else
		response->framing = response->has_length ? HTTP_BODY_LENGTH : HTTP_BODY_UNTIL_CLOSE;
	return 0;
}

void http_body_begin(struct http_body *body, enum http_framing framing, uint64_t length)
{
	http_chunked_free(&body->chunked);
	body->framing = framing;
	body->left = framing == HTTP_BODY_LENGTH ? length : 0;
	body->done = framing == HTTP_BODY_NONE || (framing == HTTP_BODY_LENGTH && length == 0);
}

enum parse http_body_take(struct http_body *body, uint8_t *bytes, size_t len, size_t *consumed,
			  size_t *payload)
{
	enum parse result = PARSE_MORE;

	*consumed = *payload = 0;
	if (body->done)
		return PARSE_DONE;
	switch (body->framing) {
	case HTTP_BODY_LENGTH:
		*consumed = *payload = len < body->left ? len : (size_t)body->left;
		body->left -= *payload;
		result = body->left == 0 ? PARSE_DONE : PARSE_MORE;
		break;
	case HTTP_BODY_CHUNKED:
		result = http_chunked_take(&body->chunked, bytes, len, consumed, payload);
		break;
	default:
		*consumed = *payload = len;
	}
	body->done = result == PARSE_DONE;
	return result;
}
