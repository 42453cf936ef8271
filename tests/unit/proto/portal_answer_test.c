/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an answer says of the way that was asked by, whole and at every point where it may be cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/portal_answer.h"

static const struct portal_question nobodys = {.url = "http://203.0.113.101/", .nobody = true};
static const struct portal_question empty = {.url = "http://check.test:8080/204"};
static const struct portal_question text = {.url = "http://check.test/", .answer = "all is well"};

#define REDIRECT(to) "HTTP/1.1 302 Found\r\nServer: x\r\nlocation: " to "\r\n\r\n"

struct example {
	const struct portal_question *question;
	const char *in;
	enum portal_word word;
	const char *location;
};

static const struct example examples[] = {
	/* Nobody is there who could answer. */
	{&nobodys, REDIRECT("http://10.0.0.1:2050/login?a=b"), PORTAL_CLOSED,
	 "http://10.0.0.1:2050/login?a=b"},
	{&nobodys, REDIRECT("HTTPS://wifi.test/"), PORTAL_CLOSED, "HTTPS://wifi.test/"},
	{&nobodys, REDIRECT("/login"), PORTAL_CLOSED, "http://203.0.113.101/login"},
	{&nobodys, REDIRECT("//wifi.test/x"), PORTAL_CLOSED, "http://wifi.test/x"},
	{&nobodys, REDIRECT("login.html"), PORTAL_CLOSED, "http://203.0.113.101/login.html"},
	{&nobodys, REDIRECT("http://203.0.113.101/again"), PORTAL_CLOSED,
	 "http://203.0.113.101/again"},
	{&nobodys, "HTTP/1.0 200 OK\r\n\r\n<html>", PORTAL_CLOSED, ""},
	{&nobodys, "HTTP/1.1 511 Network Authentication Required\r\n\r\n", PORTAL_CLOSED, ""},
	{&nobodys, "HTTP/1.1 302\nLocation: http://a.test/\n\n", PORTAL_CLOSED, "http://a.test/"},
	/* What is no place for a browser is not shown. */
	{&nobodys, REDIRECT("javascript:alert(1)"), PORTAL_CLOSED, ""},
	{&nobodys, REDIRECT("http://a.test/\"><script>"), PORTAL_CLOSED, ""},
	{&nobodys, REDIRECT("http://a.test/\x80\x9b"), PORTAL_CLOSED, ""},
	/* A proxy on the way that reaches nobody, and what is no HTTP. */
	{&nobodys, "HTTP/1.1 503 Unavailable\r\n\r\n", PORTAL_NOTHING, ""},
	{&nobodys, "HTTP/1.1 403 Forbidden\r\n\r\n", PORTAL_NOTHING, ""},
	{&nobodys, "SSH-2.0-OpenSSH\r\n\r\n", PORTAL_NOTHING, ""},
	{&nobodys, "HTTP/2 200\r\n\r\n", PORTAL_NOTHING, ""},
	{&nobodys, "HTTP/1.1 200 OK\r\nbad\x01\r\n\r\n", PORTAL_NOTHING, ""},
	{&nobodys, "", PORTAL_NOTHING, ""},
	/* A server that answers with nothing. */
	{&empty, "HTTP/1.1 204 No Content\r\n\r\n", PORTAL_OPEN, ""},
	{&empty, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", PORTAL_OPEN, ""},
	{&empty, "HTTP/1.1 200 OK\r\n\r\nlog in", PORTAL_CLOSED, ""},
	{&empty, REDIRECT("http://10.0.0.1/"), PORTAL_CLOSED, "http://10.0.0.1/"},
	{&empty, REDIRECT("/login"), PORTAL_NOTHING, "http://check.test:8080/login"},
	/* One that answers with a text. */
	{&text, "HTTP/1.1 200 OK\r\n\r\nall is well\n", PORTAL_OPEN, ""},
	{&text, "HTTP/1.1 200 OK\r\n\r\nall is w", PORTAL_CLOSED, ""},
	{&text, "HTTP/1.1 200 OK\r\n\r\nlog in", PORTAL_CLOSED, ""},
	{&text, "HTTP/1.1 204 No Content\r\n\r\n", PORTAL_CLOSED, ""},
	/* It is in trouble, or has moved. */
	{&text, "HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", PORTAL_NOTHING, ""},
	{&text, "HTTP/1.1 404 Not Found\r\n\r\n<html>", PORTAL_NOTHING, ""},
	{&text, REDIRECT("https://CHECK.test./"), PORTAL_NOTHING, "https://CHECK.test./"},
	{&text, REDIRECT("https://check.test.evil/"), PORTAL_CLOSED, "https://check.test.evil/"},
};

static void whole_and_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		const struct example *example = &examples[i];
		const uint8_t *in = (const uint8_t *)example->in;
		const size_t len = strlen(example->in);
		char location[PORTAL_LOCATION_MAX];
		enum portal_word word =
			portal_answer_read(example->question, in, len, true, location);

		if (word != example->word || strcmp(location, example->location) != 0)
			fail_msg("%s: %d \"%s\"", example->in, (int)word, location);
		/* What is said early stays true. */
		for (size_t cut = 0; cut < len; cut++) {
			word = portal_answer_read(example->question, in, cut, false, location);
			if (word != PORTAL_MORE && word != example->word)
				fail_msg("%s, cut at %zu: %d", example->in, cut, (int)word);
		}
	}
}

static void long_location(void **state)
{
	char in[2048];
	char location[PORTAL_LOCATION_MAX];
	const int len = snprintf(in, sizeof(in),
				 "HTTP/1.1 302 Found\r\nLocation: http://%0600d/"
				 "\r\n\r\n",
				 7);

	(void)state;
	assert_int_equal(
		portal_answer_read(&nobodys, (const uint8_t *)in, (size_t)len, true, location),
		PORTAL_CLOSED);
	assert_string_equal(location, "");
}

/* A head of which no more is read. */
static void cut_head(void **state)
{
	static const struct example heads[] = {
		{&nobodys, "HTTP/1.1 302 Found\r\n", PORTAL_CLOSED, ""},
		{&nobodys, "HTTP/1.1 302 Found\r\nLocation: http://a.test/\r\n", PORTAL_CLOSED,
		 "http://a.test/"},
		{&nobodys, "HTTP/1.1 200 OK\r\n", PORTAL_CLOSED, ""},
		{&nobodys, "HTTP/1.1 503 Unavailable\r\n", PORTAL_NOTHING, ""},
		{&nobodys, "SSH-2.0-OpenSSH\r\n", PORTAL_NOTHING, ""},
		{&nobodys, "", PORTAL_NOTHING, ""},
		/* Where somebody is, what is not there may count. */
		{&text, "HTTP/1.1 511 Log In\r\n", PORTAL_CLOSED, ""},
		{&text, "HTTP/1.1 302 Found\r\nLocation: http://a.test/\r\n", PORTAL_CLOSED,
		 "http://a.test/"},
		{&text, "HTTP/1.1 302 Found\r\nLocation: /a\r\n", PORTAL_NOTHING,
		 "http://check.test/a"},
		{&text, "HTTP/1.1 302 Found\r\n", PORTAL_NOTHING, ""},
		{&text, "HTTP/1.1 200 OK\r\n", PORTAL_NOTHING, ""},
		{&empty, "HTTP/1.1 200 OK\r\n", PORTAL_NOTHING, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		const struct example *example = &heads[i];
		char location[PORTAL_LOCATION_MAX];
		uint8_t in[2048];

		memset(in, 'a', sizeof(in));
		memcpy(in, example->in, strlen(example->in));
		if (portal_answer_read(example->question, in, sizeof(in), true, location) !=
			    example->word ||
		    strcmp(location, example->location) != 0)
			fail_msg("%s: \"%s\"", example->in, location);
		assert_int_equal(
			portal_answer_read(example->question, in, sizeof(in), false, location),
			PORTAL_MORE);
	}
}

static void request(void **state)
{
	static const struct {
		const char *url;
		const char *line;
		const char *host;
	} wanted[] = {
		{"http://203.0.113.101/", "GET / HTTP/1.0\r\n", "\r\nHost: 203.0.113.101\r\n"},
		{"http://a.test", "GET / HTTP/1.0\r\n", "\r\nHost: a.test\r\n"},
		{"http://a.test:81?x=1#y", "GET /?x=1 HTTP/1.0\r\n", "\r\nHost: a.test:81\r\n"},
		{"http://[fd00::1]:81/a/b", "GET /a/b HTTP/1.0\r\n", "\r\nHost: [fd00::1]:81\r\n"},
	};
	char out[PORTAL_REQUEST_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		const struct portal_question question = {.url = wanted[i].url};
		const size_t len = portal_request_write(out, &question);

		assert_int_equal(len, strlen(out));
		assert_memory_equal(out, wanted[i].line, strlen(wanted[i].line));
		assert_non_null(strstr(out, wanted[i].host));
		assert_string_equal(out + strlen(out) - 4, "\r\n\r\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_and_cut),
		cmocka_unit_test(long_location),
		cmocka_unit_test(cut_head),
		cmocka_unit_test(request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
