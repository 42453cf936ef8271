/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which requests are refused, and how. */
#include "http_proxy_fixture.h"

static void unclear_ends_are_refused(void **state)
{
	static const char twice[] = "the end of the body is not told, or told twice";
	static const struct {
		const char *fields, *text;
	} cases[] = {
		{"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", twice},
		{"Content-Length: 1\r\nContent-Length: 2\r\n", twice},
		{"Content-Length: 1\r\nContent-Length: 1\r\n", twice},
		{"Content-Length: 1, 1\r\n", twice},
		{"Content-Length: 1,\r\n", twice},
		{"Content-Length:\r\n", twice},
		{"Content-Length: -1\r\n", twice},
		{"Content-Length: +1\r\n", twice},
		{"Content-Length: 0x1\r\n", twice},
		{"Content-Length: 1 2\r\n", twice},
		{"Content-Length: 1000000000000000000\r\n", twice},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", twice},
	};
	static const char *const codings[] = {"gzip, chunked", "identity", "chunked, chunked",
					      "\vchunked",     "xchunked", "",
					      "chunked;q=1"};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		struct dialogue_end end;

		snprintf(text, sizeof(text), "POST http://a/ HTTP/1.1\r\n%s\r\n", cases[i].fields);
		end = play(ACCESS_OPEN, text);
		dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
		assert_refusal(&end, "400 Bad Request", cases[i].text);
	}
	for (size_t i = 0; i < COUNT(codings); i++) {
		char text[256];
		struct dialogue_end end;

		snprintf(text, sizeof(text),
			 "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: %s\r\n\r\n", codings[i]);
		end = play(ACCESS_OPEN, text);
		dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
		if (codings[i][0] != '\v')
			assert_refusal(&end, "501 Not Implemented",
				       "the only transfer coding spoken here is chunked");
	}
	{
		struct dialogue_end end =
			play(ACCESS_OPEN,
			     "POST http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");

		dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
		assert_refusal(&end, "400 Bad Request", twice);
	}
}

static void malformed_requests_are_refused(void **state)
{
	static const char *const bad[] = {
		"GET\r\n\r\n",
		"GET http://a/\r\n\r\n",
		"GET  http://a/ HTTP/1.1\r\n\r\n",
		"GET http://a/  HTTP/1.1\r\n\r\n",
		"GET http://a/ HTTP/1.1 \r\n\r\n",
		"GET http://a/b c HTTP/1.1\r\n\r\n",
		"GET http://a/\tb HTTP/1.1\r\n\r\n",
		"GET\thttp://a/ HTTP/1.1\r\n\r\n",
		"G(T http://a/ HTTP/1.1\r\n\r\n",
		"GET http://a/ http/1.1\r\n\r\n",
		"GET http://a/ HTTP/1\r\n\r\n",
		"GET http://a/ HTTP/1.x\r\n\r\n",
		"GET http://a/ HTTP/1.10\r\n\r\n",
		"GET http://a/ HTTP/x.1\r\n\r\n",
		"GET http://a/ HTTP/1,1\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nno colon\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\n: no name\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nX-A : blank before colon\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\n X-A: blank before name\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nX-A: b\r\n folded\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nX-A: b\r\n\tfolded: tab\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nX-\xc3\xa4: b\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nX-A: lone\rCR\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\r\n\r\n",
		"GET http://a/ HTTP/1.1\n\n",
		"GET http://a/ HTTP/1.1\r\nX-A: b\n\r\n",
		"GET http://a/ HTTP/1.1\r\nX-A: b\r\n\n",
		"GET http://a/ HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nX-A: \x7f\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nX-A: \x1b[2J\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct dialogue_end end = play(ACCESS_OPEN, bad[i]);

		dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
		assert_refusal(&end, "400 Bad Request", "malformed request");
	}
}

/* Every control byte at every place of the head. */
static void control_bytes_are_refused(void **state)
{
	static const char whole[] = "GET http://a/ HTTP/1.1\r\nX-A: b\r\n\r\n";

	(void)state;
	for (size_t at = 1; at < sizeof(whole) - 1; at++) {
		for (int byte = 0; byte < ' '; byte++) {
			char bytes[sizeof(whole)];
			struct dialogue_end end;

			if (byte == '\t' || byte == '\r' || byte == '\n' || whole[at] < ' ')
				continue;
			memcpy(bytes, whole, sizeof(bytes));
			bytes[at] = (char)byte;
			end = dialogue_play(ACCESS_OPEN, bytes, sizeof(whole) - 1, at, 1);
			dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
		}
	}
}

static void bad_targets_are_refused(void **state)
{
	static const char no_host[] = "no valid host and port";
	static const char scheme[] = "only http:// URLs; use CONNECT for all else";
	static const char proxy[] =
		"this is a proxy: ask for CONNECT host:port or a full http:// URL";
	static const struct {
		const char *method_and_target, *text;
	} cases[] = {
		{"CONNECT example.com", no_host},
		{"CONNECT example.com:", no_host},
		{"CONNECT example.com:0", no_host},
		{"CONNECT example.com:65536", no_host},
		{"CONNECT example.com:443/", no_host},
		{"CONNECT :443", no_host},
		{"CONNECT [::1]", no_host},
		{"CONNECT ::1:443", no_host},
		{"CONNECT user@example.com:443", no_host},
		{"CONNECT http://example.com:443/", no_host},
		{"CONNECT /", no_host},
		{"GET http://", no_host},
		{"GET http:///path", no_host},
		{"GET http://a:0/", no_host},
		{"GET http://a:80:80/", no_host},
		{"GET http://user@", no_host},
		{"GET http://:/", no_host},
		{"GET http://user@:80/", no_host},
		{"GET http://a@b@c/", no_host},
		{"GET http://a\\@b/", no_host},
		{"GET http://a#@b/", no_host},
		{"GET http://[a]@b/", no_host},
		{"GET http://a#fragment", no_host},
		{"GET http://a\\b/", no_host},
		{"GET http://2001:db8::1/", no_host},
		{"GET http://[a]/", no_host},
		{"GET http://0x7f.1/", no_host},
		{"GET https://a/", scheme},
		{"GET ftp://a/", scheme},
		{"GET /", proxy},
		{"GET /?u=http://a/", proxy},
		{"OPTIONS *", proxy},
		{"GET example.com:80", proxy},
		{"GET http:/a/", proxy},
		{"connect a:80", proxy},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		struct dialogue_end end;

		snprintf(text, sizeof(text), "%s HTTP/1.1\r\n\r\n", cases[i].method_and_target);
		if (text[0] == 'c') { /* methods know their case, and 'c' begins no HTTP at all */
			end = play(ACCESS_OPEN, text);
			dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
			assert_int_equal(end.out.len, 0);
			text[0] = 'C';
		}
		end = play(ACCESS_OPEN, text);
		dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
		assert_refusal(&end, "400 Bad Request", cases[i].text);
	}
}

static void other_versions_and_trace_are_refused(void **state)
{
	struct dialogue_end end = play(ACCESS_OPEN, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

	(void)state;
	dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
	assert_refusal(&end, "505 HTTP Version Not Supported",
		       "only HTTP/1.0 and HTTP/1.1 are spoken here");
	end = play(ACCESS_OPEN, "TRACE http://a/ HTTP/1.1\r\n\r\n");
	dialogue_assert_bad(&end, CAUSE_COMMAND_NOT_SUPPORTED);
	assert_refusal(&end, "501 Not Implemented", "TRACE is not supported");
}

static void access_is_checked(void **state)
{
	static const char needed[] = "user name and password needed";
	static const char wrong[] = "wrong user name or password";
	static const struct {
		const char *fields, *text;
	} cases[] = {
		{"", needed},
		{"Authorization: Basic YWxpY2U6c2VjcmV0\r\n", needed},
		{"Proxy-Authorization:\r\n", wrong},
		{"Proxy-Authorization: Basic\r\n", wrong},
		{"Proxy-Authorization: Basic \r\n", wrong},
		{"Proxy-Authorization: Digest YWxpY2U6c2VjcmV0\r\n", wrong},
		{"Proxy-Authorization: Basic YWxpY2U6c2VjcmV1\r\n", wrong},
		{"Proxy-Authorization: Basic YWxpY2U6c2VjcmV\r\n", wrong},
		{"Proxy-Authorization: Basic YWxpY2U6c2VjcmV0 x\r\n", wrong},
		{"Proxy-Authorization: Basic YWxpY2U6c2Vj!mV0\r\n", wrong},
		{"Proxy-Authorization: Basic YWxpY2VzZWNyZXQ=\r\n", wrong}, /* no colon */
		{"Proxy-Authorization: Basic Og==\r\n", wrong},
	};
	struct dialogue_end end;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text), "CONNECT a:80 HTTP/1.1\r\n%s\r\n", cases[i].fields);
		end = play(ACCESS_PASSWORD, text);
		dialogue_assert_bad(&end, CAUSE_AUTH_FAILED);
		assert_refusal(&end, "407 Proxy Authentication Required", cases[i].text);
		end = play(ACCESS_OPEN, text);
		dialogue_assert_done(&end, PROTOCOL_HTTP_CONNECT, "a:80", 0);
		end = play(ACCESS_DENIED, text);
		dialogue_assert_bad(&end, CAUSE_NOT_ALLOWED);
		assert_refusal(&end, "403 Forbidden", "not allowed");
	}
	end = play(ACCESS_PASSWORD, "CONNECT a:80 HTTP/1.1\r\n" ALICE "\r\n");
	dialogue_assert_done(&end, PROTOCOL_HTTP_CONNECT, "a:80", 0);
	end = play(ACCESS_PASSWORD, "CONNECT a:80 HTTP/1.1\r\n"
				    "proxy-authorization:bAsIc   YWxpY2U6c2VjcmV0 \r\n\r\n");
	dialogue_assert_done(&end, PROTOCOL_HTTP_CONNECT, "a:80", 0);
	end = play(ACCESS_PASSWORD, "GET http://a/ HTTP/1.1\r\n" ALICE "\r\n");
	dialogue_assert_done(&end, PROTOCOL_HTTP, "a:80", 0);
	assert_head(&end, "GET / HTTP/1.1\r\nHost: a\r\n" VIA "\r\n");
	end = play(ACCESS_DENIED, "CONNECT a:80 HTTP/1.1\r\n" ALICE "\r\n");
	dialogue_assert_bad(&end, CAUSE_NOT_ALLOWED);
}

/* A request head of exactly so many bytes. */
static struct dialogue_end play_long(size_t len, size_t first, size_t then)
{
	static const char line[] = "GET http://a/ HTTP/1.1\r\nX-Long: ";
	static char bytes[HANDSHAKE_IN_MAX + 16];

	assert_int_equal(snprintf(bytes, sizeof(bytes), "%s%0*d\r\n\r\n", line,
				  (int)(len - strlen(line) - 4), 0),
			 len);
	return dialogue_play(ACCESS_OPEN, bytes, len, first, then);
}

static void heads_are_bounded(void **state)
{
	static const size_t pieces[] = {13, 1000, HANDSHAKE_IN_MAX};
	struct dialogue_end end;

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		end = play_long(HANDSHAKE_IN_MAX, pieces[i], pieces[i]);
		dialogue_assert_done(&end, PROTOCOL_HTTP, "a:80", 0);
		dialogue_free(&end);
		end = play_long(HANDSHAKE_IN_MAX + 1, pieces[i] - 1, pieces[i]);
		dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
		assert_refusal(&end, "431 Request Header Fields Too Large",
			       "request head over 65536 bytes, 256 fields, or 256 "
			       "members of Connection");
	}
	/* A caller may offer more than the limit; the limit holds. */
	end = play_long(HANDSHAKE_IN_MAX + 1, HANDSHAKE_IN_MAX + 1, 1);
	dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
	/* The number of fields is bounded, too. */
	for (size_t fields = 256; fields <= 257; fields++) {
		static char text[2048];
		size_t len = (size_t)sprintf(text, "GET http://a/ HTTP/1.1\r\n");

		for (size_t i = 0; i < fields; i++)
			len += (size_t)sprintf(text + len, "a:\r\n");
		sprintf(text + len, "\r\n");
		end = play(ACCESS_OPEN, text);
		assert_int_equal(end.result, fields == 256 ? PARSE_DONE : PARSE_BAD);
		dialogue_free(&end);
	}
}

/* Each field is held against each of them; some are in a field of their own, or empty. */
static void members_of_connection_are_bounded(void **state)
{
	static const char *const rests[] = {"", "Connection: a\r\nconnection:,\r\n"};
	char commas[256];

	(void)state;
	memset(commas, ',', sizeof(commas));
	for (size_t i = 0; i < COUNT(rests); i++) {
		const int max = i == 0 ? 256 : 254; /* of which all but the last are empty */

		for (int count = max; count <= max + 1; count++) {
			char text[1024];
			struct dialogue_end end;

			snprintf(text, sizeof(text),
				 "GET http://a/ HTTP/1.1\r\n%sConnection: %.*sb\r\nB: 1\r\nC: 2\r\n"
				 "\r\n",
				 rests[i], count - 1, commas);
			end = play(ACCESS_OPEN, text);
			if (count == max) {
				assert_head(&end,
					    "GET / HTTP/1.1\r\nHost: a\r\nC: 2\r\n" VIA "\r\n");
				continue;
			}
			dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
			assert_refusal(&end, "431 Request Header Fields Too Large",
				       "request head over 65536 bytes, 256 fields, or 256 "
				       "members of Connection");
		}
	}
}

static void every_cause_has_its_reply(void **state)
{
	static const char *const status[CAUSE_COUNT] = {
		[CAUSE_REFUSED] = "502 Bad Gateway",
		[CAUSE_NETWORK_UNREACHABLE] = "502 Bad Gateway",
		[CAUSE_HOST_UNREACHABLE] = "502 Bad Gateway",
		[CAUSE_CONNECT_TIMEOUT] = "504 Gateway Timeout",
		[CAUSE_NOT_ALLOWED] = "403 Forbidden",
		[CAUSE_AUTH_FAILED] = "407 Proxy Authentication Required",
		[CAUSE_NAME_NOT_FOUND] = "502 Bad Gateway",
		[CAUSE_RESOLVE_FAILED] = "502 Bad Gateway",
		[CAUSE_NO_ORIGINAL] = "502 Bad Gateway",
		[CAUSE_NOT_MPTCP] = "502 Bad Gateway",
		[CAUSE_COMMAND_NOT_SUPPORTED] = "501 Not Implemented",
		[CAUSE_ADDRESS_TYPE_NOT_SUPPORTED] = "400 Bad Request",
		[CAUSE_BAD_REQUEST] = "400 Bad Request",
		[CAUSE_PROXY_HEADER] = "400 Bad Request",
		[CAUSE_HANDSHAKE_TIMEOUT] = "408 Request Timeout",
		[CAUSE_CROWDED] = "503 Service Unavailable",
		[CAUSE_CLIENT_GONE] = "400 Bad Request",
		[CAUSE_RESET] = "502 Bad Gateway",
		[CAUSE_BAD_RESPONSE] = "502 Bad Gateway",
		[CAUSE_BYTES_LOST] = "502 Bad Gateway",
		[CAUSE_IDLE_TIMEOUT] = "504 Gateway Timeout",
		[CAUSE_HALF_CLOSED_TIMEOUT] = "504 Gateway Timeout",
		[CAUSE_CLOCK] = "403 Forbidden",
		[CAUSE_LIMIT] = "503 Service Unavailable",
		[CAUSE_REVOKED] = "403 Forbidden",
		[CAUSE_NO_EXIT] = "502 Bad Gateway",
		[CAUSE_EXIT_SILENT] = "504 Gateway Timeout",
		[CAUSE_EXIT_BROKEN] = "502 Bad Gateway",
		[CAUSE_RESOURCES] = "503 Service Unavailable",
		[CAUSE_KILLED] = "503 Service Unavailable",
		[CAUSE_STOPPED] = "503 Service Unavailable",
		[CAUSE_OTHER] = "502 Bad Gateway",
	};
	static const char *const requests[] = {"CONNECT a:80 HTTP/1.1\r\n\r\n",
					       "GET http://a/ HTTP/1.1\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++) {
		struct dialogue_end end = play(ACCESS_OPEN, requests[i]);

		for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++) {
			end.out.len = 0;
			handshake_reply(&end.handshake, (enum cause)cause, NULL, &end.out);
			assert_refusal(&end, status[cause], cause_info((enum cause)cause)->text);
		}
		dialogue_free(&end);
	}
}

static void an_answer_to_head_has_no_body(void **state)
{
	struct dialogue_end end = play(ACCESS_OPEN, "HEAD http://a/ HTTP/1.1\r\n\r\n");
	static const char refused[] = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n"
				      "Content-Type: text/plain\r\nContent-Length: 28\r\n\r\n";

	(void)state;
	handshake_reply(&end.handshake, CAUSE_REFUSED, NULL, &end.out);
	dialogue_assert_out(&end, refused, strlen(refused));
	dialogue_free(&end);
	end = play(ACCESS_DENIED, "HEAD http://a/ HTTP/1.1\r\n\r\n");
	assert_memory_equal(end.out.bytes + end.out.len - 4, "\r\n\r\n", 4);
}

static void a_timeout_is_answered(void **state)
{
	struct dialogue_end end = play(ACCESS_OPEN, "GET http://a/ HT");

	(void)state;
	handshake_reply(&end.handshake, CAUSE_HANDSHAKE_TIMEOUT, NULL, &end.out);
	assert_refusal(&end, "408 Request Timeout", "handshake timed out");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unclear_ends_are_refused),
		cmocka_unit_test(malformed_requests_are_refused),
		cmocka_unit_test(control_bytes_are_refused),
		cmocka_unit_test(bad_targets_are_refused),
		cmocka_unit_test(other_versions_and_trace_are_refused),
		cmocka_unit_test(access_is_checked),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(members_of_connection_are_bounded),
		cmocka_unit_test(every_cause_has_its_reply),
		cmocka_unit_test(an_answer_to_head_has_no_body),
		cmocka_unit_test(a_timeout_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
