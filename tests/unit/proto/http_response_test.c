/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Responses: how long they are, and what becomes of their heads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http_forward.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VIA	     "Via: 1.1 hawser\r\n"

static const struct http_request get = {.keep = true};
static const struct http_request old = {.http10 = true};
static const struct http_request head_request = {.head_method = true, .keep = true};

struct read_response {
	int err;
	struct http_response response;
	struct span reason, fields;
};

/* The end of the head is found from whatever pieces it comes in. */
static struct read_response read_response(const char *text, const struct http_request *request)
{
	struct read_response all = {0};
	const size_t len = strlen(text);
	struct http_scan whole = {0};
	enum parse result = http_scan_head(&whole, (const uint8_t *)text, len);

	for (size_t cut = 0; cut <= len; cut++) {
		struct http_scan scan = {0};
		enum parse other = http_scan_head(&scan, (const uint8_t *)text, cut);

		if (other == PARSE_MORE)
			other = http_scan_head(&scan, (const uint8_t *)text, len);
		assert_int_equal(other, result);
		assert_memory_equal(&scan, &whole, sizeof(scan));
	}
	if (result != PARSE_DONE)
		all.err = -1;
	else
		all.err = http_read_response((struct span){text, whole.at}, request, &all.response,
					     &all.reason, &all.fields);
	return all;
}

static void ends_are_found(void **state)
{
	static const struct {
		const char *head;
		const struct http_request *request;
		enum http_framing framing, for_client;
		uint64_t length;
		bool keep;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &get, HTTP_BODY_LENGTH,
		 HTTP_BODY_LENGTH, 5, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5, 05\r\n\r\n", &get,
		 HTTP_BODY_LENGTH, HTTP_BODY_LENGTH, 5, true},
		{"HTTP/1.1 200\r\nContent-Length: 0\r\nConnection: a, CLOSE\r\n\r\n", &get,
		 HTTP_BODY_LENGTH, HTTP_BODY_LENGTH, 0, false},
		{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", &get,
		 HTTP_BODY_LENGTH, HTTP_BODY_LENGTH, 0, false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n", &get, HTTP_BODY_CHUNKED,
		 HTTP_BODY_CHUNKED, 0, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &old, HTTP_BODY_CHUNKED,
		 HTTP_BODY_UNTIL_CLOSE, 0, true},
		{"HTTP/1.1 200 OK\n\n", &get, HTTP_BODY_UNTIL_CLOSE, HTTP_BODY_CHUNKED, 0, true},
		{"HTTP/1.0 200 OK\r\n\r\n", &old, HTTP_BODY_UNTIL_CLOSE, HTTP_BODY_UNTIL_CLOSE, 0,
		 false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &head_request, HTTP_BODY_NONE,
		 HTTP_BODY_NONE, 5, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &head_request,
		 HTTP_BODY_NONE, HTTP_BODY_NONE, 0, true},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", &get, HTTP_BODY_NONE,
		 HTTP_BODY_NONE, 5, true},
		{"HTTP/1.1 204 No Content\r\n\r\n", &get, HTTP_BODY_NONE, HTTP_BODY_NONE, 0, true},
		{"HTTP/1.1 100 Continue\r\n\r\n", &get, HTTP_BODY_NONE, HTTP_BODY_NONE, 0, true},
		{"HTTP/1.1 999 \xc3\xa4\r\n\r\n", &get, HTTP_BODY_UNTIL_CLOSE, HTTP_BODY_CHUNKED, 0,
		 true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct read_response all = read_response(cases[i].head, cases[i].request);

		assert_int_equal(all.err, 0);
		assert_int_equal(all.response.framing, cases[i].framing);
		assert_int_equal(all.response.length, cases[i].length);
		assert_int_equal(all.response.keep, cases[i].keep);
		assert_int_equal(http_client_framing(cases[i].request, &all.response),
				 cases[i].for_client);
	}
}

static void bad_responses_are_refused(void **state)
{
	static const char *const bad[] = {
		"<html>\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_true(read_response(bad[i], &get).err < 0);
}

static void members_of_connection_are_bounded(void **state)
{
	char text[1024], commas[256];

	(void)state;
	memset(commas, ',', sizeof(commas));
	for (int count = 255; count <= 256; count++) {
		snprintf(text, sizeof(text),
			 "HTTP/1.1 103 Early\r\nConnection: %.*s\r\nConnection: x\r\n\r\n", count,
			 commas);
		assert_int_equal(read_response(text, &get).err < 0, count == 256);
	}
}

static void heads_are_rewritten(void **state)
{
	static const struct {
		const char *head, *answer;
		const struct http_request *request;
		bool keep;
	} cases[] = {
		{"HTTP/1.1 200 Fine\r\nContent-length: 5\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
		 "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n" VIA
		 "\r\n",
		 &get, true},
		/* Both say what they are: this is HTTP/1.1, that was 1.0. */
		{"HTTP/1.0 404\r\nA: b\r\n\r\n",
		 "HTTP/1.1 404 \r\nA: b\r\nTransfer-Encoding: chunked\r\nVia: 1.0 hawser\r\n\r\n",
		 &get, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		 "HTTP/1.1 200 OK\r\n" VIA "Connection: close\r\n\r\n", &old, false},
		/* Of the connection to the origin, and of a proxy that it is not. */
		{"HTTP/1.1 407 No\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
		 "Upgrade: h2c\r\nProxy-Authenticate: Basic realm=\"x\"\r\nProxy-Connection: a\r\n"
		 "Content-Length: 0\r\n\r\n",
		 "HTTP/1.1 407 No\r\nContent-Length: 0\r\n" VIA "\r\n", &get, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" VIA "Connection: close\r\n\r\n", &get,
		 false},
		/* Without a body. */
		{"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n" VIA "\r\n", &head_request, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		 "HTTP/1.1 200 OK\r\n" VIA "\r\n", &head_request, true},
		{"HTTP/1.1 204 No\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 204 No\r\n" VIA "\r\n",
		 &get, true},
		{"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n",
		 "HTTP/1.1 103 Early\r\nLink: x\r\n" VIA "\r\n", &get, false},
		/* Upgrades. */
		{"HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		 "HTTP/1.1 101 Switch\r\n" VIA "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		 &get, true},
		{"HTTP/1.1 426 Up\r\nUpgrade: x/1\r\nContent-Length: 0\r\n\r\n",
		 "HTTP/1.1 426 Up\r\nContent-Length: 0\r\n" VIA
		 "Upgrade: x/1\r\nConnection: close, Upgrade\r\n\r\n",
		 &get, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct read_response all = read_response(cases[i].head, cases[i].request);
		size_t len;
		uint8_t *answer;

		assert_int_equal(all.err, 0);
		answer = http_forward_response(cases[i].request, &all.response, all.reason,
					       all.fields, cases[i].keep, &len);
		assert_int_equal(len, strlen(cases[i].answer));
		assert_memory_equal(answer, cases[i].answer, len);
		free(answer);
	}
}

static void trailers_are_chosen(void **state)
{
	static uint8_t trailers[] = "Content-Length: 5\r\nX-Sum: 1\r\nTransfer-Encoding: x\r\n"
				    "Host: evil\r\nSet-Cookie: a\r\n\r\n";
	static const char expected[] = "0\r\nX-Sum: 1\r\n\r\n";
	const struct http_chunked chunked = {.trailers = trailers,
					     .trailers_len = sizeof(trailers) - 1};
	size_t len;
	uint8_t *end = http_forward_trailers(&chunked, &len);

	(void)state;
	assert_int_equal(len, sizeof(expected) - 1);
	assert_memory_equal(end, expected, len);
	free(end);
	end = http_forward_trailers(&(struct http_chunked){0}, &len);
	assert_int_equal(len, 5);
	assert_memory_equal(end, "0\r\n\r\n", len);
	free(end);
}

static void bodies_end_where_they_should(void **state)
{
	struct http_body body = {0};
	uint8_t bytes[] = "abcdef";
	size_t consumed, payload;

	(void)state;
	http_body_begin(&body, HTTP_BODY_LENGTH, 4);
	assert_int_equal(http_body_take(&body, bytes, 3, &consumed, &payload), PARSE_MORE);
	assert_int_equal(http_body_take(&body, bytes, 3, &consumed, &payload), PARSE_DONE);
	assert_int_equal(consumed, 1);
	assert_int_equal(payload, 1);
	assert_true(body.done);
	http_body_begin(&body, HTTP_BODY_UNTIL_CLOSE, 0);
	assert_int_equal(http_body_take(&body, bytes, 6, &consumed, &payload), PARSE_MORE);
	assert_int_equal(payload, 6);
	http_body_begin(&body, HTTP_BODY_LENGTH, 0);
	assert_true(body.done);
	http_body_begin(&body, HTTP_BODY_NONE, 0);
	assert_int_equal(http_body_take(&body, bytes, 6, &consumed, &payload), PARSE_DONE);
	assert_int_equal(consumed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_are_found),
		cmocka_unit_test(bad_responses_are_refused),
		cmocka_unit_test(members_of_connection_are_bounded),
		cmocka_unit_test(heads_are_rewritten),
		cmocka_unit_test(trailers_are_chosen),
		cmocka_unit_test(bodies_end_where_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
