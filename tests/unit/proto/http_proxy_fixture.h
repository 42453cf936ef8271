/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plays HTTP requests to a handshake, and says what is to come of them. */
#ifndef HAWSER_HTTP_PROXY_FIXTURE_H
#define HAWSER_HTTP_PROXY_FIXTURE_H

#include "dialogue.h"

#include <stdio.h>

#include "proto/handshake_private.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ESTABLISHED  "HTTP/1.1 200 Connection established\r\n\r\n"
#define VIA	     "Via: 1.1 hawser\r\n"
#define ALICE	     "Proxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n" /* alice:secret */

static inline struct dialogue_end play(enum access access, const char *text)
{
	return dialogue_play_all(access, text, strlen(text));
}

static inline void assert_head(struct dialogue_end *end, const char *head)
{
	assert_int_equal(end->handshake.head_len, strlen(head));
	assert_memory_equal(end->handshake.head, head, strlen(head));
	dialogue_free(end);
}

/* The whole answer, byte by byte. */
static inline void assert_refusal(const struct dialogue_end *end, const char *status,
				  const char *text)
{
	bool challenge = strncmp(status, "407", 3) == 0;
	char expected[HANDSHAKE_OUT_MAX];
	int len =
		snprintf(expected, sizeof(expected),
			 "HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Type: text/plain\r\n"
			 "Content-Length: %zu\r\n\r\nhawserd: %s\n",
			 status, challenge ? "Proxy-Authenticate: Basic realm=\"hawser\"\r\n" : "",
			 strlen("hawserd: \n") + strlen(text), text);

	dialogue_assert_out(end, expected, (size_t)len);
}

#endif
