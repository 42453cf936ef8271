/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of requests that are taken. */
#include "http_proxy_fixture.h"

static void connect_takes_an_authority(void **state)
{
	static const struct {
		const char *text, *destination;
		size_t payload;
	} cases[] = {
		{"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
		 "example.com:443", 0},
		{"CONNECT example.com:443 HTTP/1.0\r\n\r\nPAYLOAD", "example.com:443", 7},
		{"CONNECT 192.0.2.1:1 HTTP/1.1\r\n\r\n\r\n", "192.0.2.1:1", 2},
		{"CONNECT [2001:db8::1]:65535 HTTP/1.1\r\n\r\n", "[2001:db8::1]:65535", 0},
		{"CONNECT [::ffff:127.0.0.1]:80 HTTP/1.1\r\n\r\n", "127.0.0.1:80", 0},
		{"CONNECT a:80 HTTP/1.1\n\nPAYLOAD", "a:80", 7},
		{"CONNECT a:80 HTTP/1.1\nUser-Agent: x\r\nAccept:\n\r\nPAYLOAD", "a:80", 7},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dialogue_end end = play(ACCESS_OPEN, cases[i].text);

		dialogue_assert_done(&end, PROTOCOL_HTTP_CONNECT, cases[i].destination,
				     cases[i].payload);
		assert_int_equal(end.out.len, 0);
		assert_null(end.handshake.head);
		handshake_reply(&end.handshake, CAUSE_NONE, NULL, &end.out);
		dialogue_assert_out(&end, ESTABLISHED, strlen(ESTABLISHED));
	}
}

static void a_beginning_is_not_an_end(void **state)
{
	static const char whole[] = "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n";

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		struct dialogue_end end = dialogue_play_all(ACCESS_OPEN, whole, len);

		assert_int_equal(end.result, PARSE_MORE);
		assert_int_equal(end.payload, len);
		assert_int_equal(end.out.len, 0);
	}
}

static void plain_requests_are_rewritten(void **state)
{
	static const struct {
		const char *text, *destination, *head;
		size_t payload;
	} cases[] = {
		{"GET http://example.com/a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept: "
		 "*/*\r\n\r\n",
		 "example.com:80",
		 "GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n" VIA "\r\n", 0},
		/* The body is payload, its framing said once. */
		{"POST http://a:8080/ HTTP/1.1\r\ncontent-length:  007\r\n\r\nPAYLOAD", "a:8080",
		 "POST / HTTP/1.1\r\nHost: a:8080\r\nContent-Length: 7\r\n" VIA "\r\n", 7},
		{"PUT http://a/ HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nTE: gzip, "
		 "trailers\r\n\r\n0",
		 "a:80",
		 "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" VIA
		 "TE: trailers\r\nConnection: TE\r\n\r\n",
		 1},
		/* Empty paths. */
		{"GET http://a HTTP/1.0\r\n\r\n", "a:80",
		 "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 hawser\r\n\r\n", 0},
		{"GET HTTP://A?q HTTP/1.1\r\n\r\n", "A:80",
		 "GET /?q HTTP/1.1\r\nHost: A\r\n" VIA "\r\n", 0},
		{"OPTIONS http://a:81 HTTP/1.1\r\nMax-Forwards: 3\r\n\r\n", "a:81",
		 "OPTIONS * HTTP/1.1\r\nHost: a:81\r\nMax-Forwards: 2\r\n" VIA "\r\n", 0},
		{"OPTIONS http://a/ HTTP/1.1\r\n\r\n", "a:80",
		 "OPTIONS / HTTP/1.1\r\nHost: a\r\n" VIA "\r\n", 0},
		{"OPTIONS http://a?q HTTP/1.1\r\n\r\n", "a:80",
		 "OPTIONS /?q HTTP/1.1\r\nHost: a\r\n" VIA "\r\n", 0},
		/* Of other methods it is the origin's business. */
		{"GET http://a/ HTTP/1.1\r\nMax-Forwards: 0\r\n\r\n", "a:80",
		 "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n" VIA "\r\n", 0},
		/* Addresses, names and passwords, and ports that are left out. */
		{"GET http://192.0.2.1/ HTTP/1.1\r\n\r\n", "192.0.2.1:80",
		 "GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n" VIA "\r\n", 0},
		{"GET http://[2001:db8::1]/ HTTP/1.1\r\n\r\n", "[2001:db8::1]:80",
		 "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n" VIA "\r\n", 0},
		{"GET http://[2001:db8::1]:81/ HTTP/1.1\r\n\r\n", "[2001:db8::1]:81",
		 "GET / HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n" VIA "\r\n", 0},
		{"GET http://user:pass%20word@a:81/@ HTTP/1.1\r\n\r\n", "a:81",
		 "GET /@ HTTP/1.1\r\nHost: a:81\r\n" VIA "\r\n", 0},
		{"GET http://@a:/ HTTP/1.1\r\n\r\n", "a:80",
		 "GET / HTTP/1.1\r\nHost: a\r\n" VIA "\r\n", 0},
		{"GET http://u@[2001:db8::1]: HTTP/1.1\r\n\r\n", "[2001:db8::1]:80",
		 "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n" VIA "\r\n", 0},
		/* Host comes from the URI. */
		{"GET http://good/ HTTP/1.1\r\nhost: evil\r\n\r\n", "good:80",
		 "GET / HTTP/1.1\r\nHost: good\r\n" VIA "\r\n", 0},
		/* Hop-by-hop fields in any case, once and again; the rest keeps its spelling. */
		{"GET http://a/ HTTP/1.1\r\nPROXY-CONNECTION: keep-alive\r\nconnection: "
		 "keep-alive\r\n"
		 "Keep-Alive: timeout=5\r\nX-A:  b\t\r\nKeep-Alive: 1\r\n" ALICE "x-empty:\r\n\r\n",
		 "a:80", "GET / HTTP/1.1\r\nHost: a\r\nX-A:  b\t\r\nx-empty:\r\n" VIA "\r\n", 0},
		/* What Connection lists goes too, but never what says how long the body is. */
		{"PUT http://a/ HTTP/1.1\r\nTE: trailers\r\nX-Hop: 1\r\nX-Hopper: 2\r\n"
		 "Content-Length: 0\r\n"
		 "Connection: te ,, x-hop\r\nConnection: content-length,transfer-encoding\r\n\r\n",
		 "a:80",
		 "PUT / HTTP/1.1\r\nHost: a\r\nX-Hopper: 2\r\nContent-Length: 0\r\n" VIA
		 "TE: trailers\r\nConnection: TE\r\n\r\n",
		 0},
		/* Upgrades pass, when they are asked for in both places. */
		{"GET http://a/ HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
		 "WebSocket\r\n"
		 "Sec-WebSocket-Version: 13\r\n\r\n",
		 "a:80",
		 "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\n" VIA
		 "Upgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n",
		 0},
		{"GET http://a/ HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "a:80",
		 "GET / HTTP/1.1\r\nHost: a\r\n" VIA "\r\n", 0},
		{"GET http://a/ HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		 "a:80", "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 hawser\r\n\r\n", 0},
		/* Another proxy's Via stays, before ours. */
		{"GET http://a/ HTTP/1.1\r\nVia: 1.0 b\r\n\r\n", "a:80",
		 "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 b\r\n" VIA "\r\n", 0},
		/* Methods unheard of are the destination's business. */
		{"X-YZ!* http://a/:@%20/~ HTTP/1.1\r\n\r\n", "a:80",
		 "X-YZ!* /:@%20/~ HTTP/1.1\r\nHost: a\r\n" VIA "\r\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dialogue_end end = play(ACCESS_OPEN, cases[i].text);

		dialogue_assert_done(&end, PROTOCOL_HTTP, cases[i].destination, cases[i].payload);
		handshake_reply(&end.handshake, CAUSE_NONE, NULL, &end.out);
		assert_int_equal(end.out.len, 0);
		assert_head(&end, cases[i].head);
	}
}

/* What is known of a request, from its method and fields. */
static struct http_request known(const char *text)
{
	struct dialogue_end end = play(ACCESS_OPEN, text);

	assert_int_equal(end.result, PARSE_DONE);
	dialogue_free(&end);
	return end.handshake.http;
}

static void what_may_follow_is_known(void **state)
{
	(void)state;
	assert_true(known("GET http://a/ HTTP/1.1\r\n\r\n").keep);
	assert_true(known("GET http://a/ HTTP/1.9\r\n\r\n").keep);
	assert_false(known("GET http://a/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep);
	assert_false(known("GET http://a/ HTTP/1.1\r\nConnection: x, Close\r\n\r\n").keep);
	assert_false(known("GET http://a/ HTTP/1.1\r\nProxy-Connection: close\r\n\r\n").keep);
	assert_true(known("DELETE http://a/ HTTP/1.1\r\n\r\n").repeatable);
	assert_true(known("PUT http://a/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n").repeatable);
	assert_false(known("PUT http://a/ HTTP/1.1\r\nContent-Length: 1\r\n\r\n").repeatable);
	assert_false(
		known("GET http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").repeatable);
	assert_false(known("POST http://a/ HTTP/1.1\r\n\r\n").repeatable);
	assert_false(known("Get http://a/ HTTP/1.1\r\n\r\n").repeatable);
}

/* Empty lines before a request, as some clients send behind a body. */
static void empty_lines_before_are_skipped(void **state)
{
	static const char text[] = "\r\n\r\nGET http://a/ HTTP/1.1\r\n\r\nrest";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct handshake handshake;
		struct handshake_out out = {.len = 0};
		size_t consumed, start = 0;
		enum parse result;

		handshake_init(&handshake, ACCESS_OPEN, &auth_judge, &dialogue_users);
		http_proxy_next(&handshake);
		result = http_proxy_step(&handshake, (const uint8_t *)text, cut, &consumed, &out);
		start += consumed;
		if (result == PARSE_MORE) {
			result = http_proxy_step(&handshake, (const uint8_t *)text + start,
						 sizeof(text) - 1 - start, &consumed, &out);
			start += consumed;
		}
		assert_int_equal(result, PARSE_DONE);
		assert_int_equal(start, sizeof(text) - 1 - 4);
		free(handshake.head);
	}
}

static void the_last_hop_answers_itself(void **state)
{
	struct dialogue_end end =
		play(ACCESS_OPEN, "OPTIONS http://a/ HTTP/1.1\r\nMax-Forwards: 0\r\n\r\n");

	(void)state;
	dialogue_assert_bad(&end, CAUSE_COMMAND_NOT_SUPPORTED);
	assert_refusal(&end, "200 OK", "the last hop of a request with Max-Forwards: 0");
}

static void a_name_of_255_bytes_fits(void **state)
{
	char name[HOST_NAME_MAX_BYTES + 2] = "";
	char text[512];
	struct dialogue_end end;

	(void)state;
	memset(name, 'a', HOST_NAME_MAX_BYTES + 1);
	snprintf(text, sizeof(text), "CONNECT %s:65535 HTTP/1.1\r\n\r\n", name + 1);
	end = play(ACCESS_OPEN, text);
	assert_int_equal(end.result, PARSE_DONE);
	assert_string_equal(end.handshake.destination.host, name + 1);
	snprintf(text, sizeof(text), "CONNECT %s:65535 HTTP/1.1\r\n\r\n", name);
	end = play(ACCESS_OPEN, text);
	dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
}

static void garbage_is_survived(void **state)
{
	static const char connect[] = "CONNECT a:80 HTTP/1.1\r\n" ALICE "\r\nrest";
	static const char get[] =
		"GET http://a/ HTTP/1.1\r\nUpgrade: x\r\nConnection: a, b\r\nA: b\r\n"
		"\r\nrest";

	(void)state;
	dialogue_fuzz(connect, sizeof(connect) - 1, 1);
	dialogue_fuzz(get, sizeof(get) - 1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_takes_an_authority),
		cmocka_unit_test(a_beginning_is_not_an_end),
		cmocka_unit_test(plain_requests_are_rewritten),
		cmocka_unit_test(what_may_follow_is_known),
		cmocka_unit_test(empty_lines_before_are_skipped),
		cmocka_unit_test(the_last_hop_answers_itself),
		cmocka_unit_test(a_name_of_255_bytes_fits),
		cmocka_unit_test(garbage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
