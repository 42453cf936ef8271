/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The response to a plain HTTP request, from its origin to the client. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/http_forward.h"
#include "session/session_http_private.h"

#define HEAD_FIRST_BYTES 2048
/* Of heads so much is read at once: many small ones, interim responses without end, are no long
 * turn of the worker's. */
#define HEAD_READ_BYTES 2048

bool http_client_is_gone(struct session *session, int err)
{
	session_end(session, err == -ENOMEM ? CAUSE_RESOURCES : CAUSE_CLIENT_GONE);
	return false;
}

/* n bytes of the response's body stand in the worker's buffer; 0: it has ended. */
static bool take_body(struct session *session, size_t n)
{
	struct session_http *http = session->http;
	const int fd = session->relay.client.fd;
	const enum http_framing framing =
		http_client_framing(http_request_of(session), &http->response);
	uint8_t *buffer = http_buffer(session);
	enum parse result = PARSE_DONE;
	size_t consumed = 0, payload = 0;
	int err;

	if (n > 0)
		result = http_body_take(&http->down, buffer, n, &consumed, &payload);
	else
		http->down.done = true;
	/* More than was asked for answers no request of ours. */
	if (consumed < n || http->down.framing == HTTP_BODY_UNTIL_CLOSE)
		http->response.keep = false;
	err = pending_put_body(&http->to_client, fd, framing, buffer, payload);
	if (!err && http->down.done && framing == HTTP_BODY_CHUNKED)
		err = pending_put_end(&http->to_client, fd, &http->down.chunked);
	if (err)
		return http_client_is_gone(session, err);
	return result != PARSE_BAD || http_cut_short(session);
}

/* The client and the origin agreed on another protocol: from now on bytes are bytes. */
static void change_protocol(struct session *session, const uint8_t *head, size_t len)
{
	struct session_http *http = session->http;
	struct pending down = {0};
	int err = 0;

	if (http->to_client.len > 0)
		err = pending_add(&down, http->to_client.bytes + http->to_client.at,
				  http->to_client.len);
	if (!err)
		err = pending_add(&down, head, len);
	if (!err && http->in_len > 0)
		err = pending_add(&down, http->in, http->in_len);
	if (err)
		session_end(session, CAUSE_RESOURCES);
	else
		session_tunnel(session, down.bytes, down.len);
	pending_drop(&down);
}

static bool request_is_sent(const struct session_http *http)
{
	return http->up.done && http->to_origin.len == 0 && !http->origin_deaf;
}

/* A whole head of head_len bytes begins http->in. */
static bool take_head(struct session *session, size_t head_len)
{
	struct session_http *http = session->http;
	const struct http_request *request = http_request_of(session);
	const struct span head = {(const char *)http->in, head_len};
	struct http_response *response = &http->response;
	struct span reason, fields;
	bool switches;
	uint8_t *answer;
	size_t len;
	int err = 0;

	if (http_read_response(head, request, response, &reason, &fields))
		return http_fail(session, CAUSE_BAD_RESPONSE);
	switches = response->status == 101;
	if (switches && !(request->upgrade && request_is_sent(http)))
		return http_fail(session, CAUSE_BAD_RESPONSE);
	/* Whoever still sends a body will not be read until its end. */
	http->keep = request->keep && request_is_sent(http) && !session->env->draining &&
		     session->config == session->env->config;
	answer = http_forward_response(request, response, reason, fields, http->keep, &len);
	http->in_len -= head_len;
	memmove(http->in, http->in + head_len, http->in_len);
	http->scan = (struct http_scan){0};
	if (answer && switches) {
		change_protocol(session, answer, len);
		free(answer);
		return false;
	}
	if (!answer)
		err = -ENOMEM;
	else if (response->status >= 200 || !request->http10)
		err = pending_put(&http->to_client, session->relay.client.fd, answer, len);
	free(answer);
	if (err)
		return http_client_is_gone(session, err);
	if (response->status < 200)
		return true;
	http->headed = true;
	http_body_begin(&http->down, response->framing, response->length);
	return true;
}

/* What came with the head belongs to the body. */
static bool take_rest(struct session *session)
{
	struct session_http *http = session->http;
	const size_t n = http->in_len;

	if (n > 0)
		memcpy(http_buffer(session), http->in, n);
	free(http->in);
	http->in = NULL;
	http->in_len = http->in_size = 0;
	if (http->down.done && n > 0)
		http->response.keep = false;
	return n == 0 || http->down.done || take_body(session, n);
}

static bool take_heads(struct session *session)
{
	struct session_http *http = session->http;

	while (!http->headed && http->in_len > 0) {
		switch (http_scan_head(&http->scan, http->in, http->in_len)) {
		case PARSE_MORE:
			return http->in_len < HTTP_HEAD_MAX ||
			       http_fail(session, CAUSE_BAD_RESPONSE);
		case PARSE_BAD:
			return http_fail(session, CAUSE_BAD_RESPONSE);
		default:
			if (!take_head(session, http->scan.at))
				return false;
		}
	}
	return !http->headed || take_rest(session);
}

static bool read_head(struct session *session)
{
	struct session_http *http = session->http;
	size_t room;
	ssize_t n;

	if (http->in_len == http->in_size) {
		const size_t size = http->in_size ? 2 * http->in_size : HEAD_FIRST_BYTES;
		uint8_t *grown = realloc(http->in, size);

		if (!grown)
			return http_fail(session, CAUSE_RESOURCES);
		http->in = grown;
		http->in_size = size;
	}
	room = http->in_size - http->in_len;
	n = recv(session->relay.server.fd, http->in + http->in_len,
		 room < HEAD_READ_BYTES ? room : HEAD_READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return http_no_response(session);
	http->answered = true;
	http->in_len += (size_t)n;
	http_count(session, &session->relay.flows[DOWN], (size_t)n);
	return take_heads(session);
}

bool http_pump_down(struct session *session)
{
	struct session_http *http = session->http;
	ssize_t n;

	if (http->to_client.len > 0 || (http->headed && http->down.done))
		return true;
	if (!http->headed)
		return read_head(session);
	n = recv(session->relay.server.fd, http_buffer(session), HTTP_READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n < 0 || (n == 0 && http->down.framing != HTTP_BODY_UNTIL_CLOSE))
		return http_cut_short(session);
	http_count(session, &session->relay.flows[DOWN], (size_t)n);
	return take_body(session, (size_t)n);
}
