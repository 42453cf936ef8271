/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an HTTP client sends: however it is cut the same comes of it, and what goes on to the origin
 * is a request of the same end, said once. The input: where to cut, and the bytes. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/judge.h"
#include "auth/users.h"
#include "proto/handshake_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	enum parse result;
	size_t taken;
	struct handshake handshake;
	struct handshake_out out;
};

static struct outcome play(const uint8_t *in, size_t len, size_t cut)
{
	struct outcome outcome = {.result = PARSE_MORE};
	size_t stop = cut;

	handshake_init(&outcome.handshake, ACCESS_OPEN, &auth_judge, &(struct users){0});
	http_proxy_next(&outcome.handshake);
	for (;;) {
		/* A block of its own, for the sanitizer to guard. */
		uint8_t *block = malloc(stop - outcome.taken + 1);
		size_t consumed = SIZE_MAX;

		memcpy(block, in + outcome.taken, stop - outcome.taken);
		outcome.result = http_proxy_step(&outcome.handshake, block, stop - outcome.taken,
						 &consumed, &outcome.out);
		free(block);
		assert(consumed <= stop - outcome.taken);
		outcome.taken += consumed;
		if (outcome.result != PARSE_MORE || stop == len)
			return outcome;
		stop = len;
	}
}

/* As the origin reads it. */
static void check_forwarded(const struct handshake *handshake)
{
	struct http_scan scan = {0};
	struct span head = {(const char *)handshake->head, handshake->head_len};
	struct span line, method, target, value, rest;
	struct http_request again;
	size_t hosts = 0;

	assert(http_scan_head(&scan, handshake->head, handshake->head_len) == PARSE_DONE);
	assert(scan.at == handshake->head_len && !scan.bare_lf);
	assert(http_next_line(&head, &line) && span_cut(&line, ' ', &method) &&
	       span_cut(&line, ' ', &target) && span_is(line, "HTTP/1.1"));
	assert(target.at[0] == '/' || span_is(target, "*"));
	assert(http_check_fields(head) != -EINVAL); /* ours are on top of what it may have */
	assert(http_read_request(method, 1, head, &again) == 0);
	assert(again.framing == handshake->http.framing && again.length == handshake->http.length);
	for (rest = head; http_next_field(&rest, "Host", &value);)
		hosts++;
	assert(hosts == 1);
	rest = head;
	assert(!http_next_field(&rest, "Proxy-Authorization", &value));
	rest = head;
	assert(!http_next_field(&rest, "Proxy-Connection", &value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;

	if (size < 2)
		return 0;
	whole = play(data + 2, size - 2, size - 2);
	cut = play(data + 2, size - 2, ((size_t)data[0] << 8 | data[1]) % (size - 1));
	assert(whole.result == cut.result);
	assert(whole.handshake.cause == cut.handshake.cause);
	assert(whole.out.len == cut.out.len &&
	       memcmp(whole.out.bytes, cut.out.bytes, whole.out.len) == 0);
	assert(whole.handshake.head_len == cut.handshake.head_len);
	if (whole.handshake.head_len > 0)
		assert(memcmp(whole.handshake.head, cut.handshake.head, cut.handshake.head_len) ==
		       0);
	assert(whole.result == PARSE_BAD || whole.taken == cut.taken);
	if (whole.result == PARSE_DONE && whole.handshake.protocol == PROTOCOL_HTTP)
		check_forwarded(&whole.handshake);
	free(whole.handshake.head);
	free(cut.handshake.head);
	return 0;
}
