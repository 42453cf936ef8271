/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a session needs until it relays: the handshake and its bytes. */
#include "session/opening.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "auth/judge.h"
#include "proto/proxy_protocol.h"
#include "relay/relay.h"
#include "upstream/dial.h"
#include "upstream/upstream.h"

/* First size of the buffer: all but HTTP requests with many fields fit. */
#define IN_BYTES 512

struct opening *opening_new(enum access access, const struct users *users, const struct gate *gate)
{
	struct opening *opening = calloc(1, sizeof(*opening));

	if (!opening)
		return NULL;
	handshake_init(&opening->handshake, access, &auth_judge, users);
	opening->handshake.gate = gate;
	return opening;
}

void opening_free(struct opening *opening)
{
	free(opening->handshake.head);
	free(opening->in);
	free(opening);
}

void opening_cancel_dial(struct opening *opening)
{
	upstream_cancel(opening->dial);
	opening->dial = NULL;
}

bool opening_answer(int fd, const struct handshake_out *out)
{
	return out->len == 0 ||
	       send(fd, out->bytes, out->len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)out->len;
}

bool opening_is_big(const struct opening *opening)
{
	return opening->in_len == opening->in_size && opening->in_size >= OPENING_SMALL_BYTES;
}

/* Room for one byte more at least. */
static int opening_grow(struct opening *opening, size_t size)
{
	uint8_t *in;

	if (size <= opening->in_size)
		return 0;
	in = realloc(opening->in, size);
	if (!in)
		return -ENOMEM;
	opening->in = in;
	opening->in_size = size;
	return 0;
}

/* Once, at most max bytes. */
static int opening_read_some(struct opening *opening, int fd, size_t max)
{
	size_t size = opening->in_size;
	size_t room;
	ssize_t n;

	if (opening->in_len == size)
		size = size == 0		    ? IN_BYTES
		       : size < OPENING_SMALL_BYTES ? OPENING_SMALL_BYTES
						    : 2 * size;
	if (opening_grow(opening, size))
		return -ENOMEM;
	room = opening->in_size - opening->in_len;
	n = recv(fd, opening->in + opening->in_len, room < max ? room : max, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n <= 0)
		return -EPIPE;
	opening->in_len += (size_t)n;
	opening->received += (uint64_t)n;
	return 0;
}

int opening_read(struct opening *opening, int fd)
{
	return opening_read_some(opening, fd, SIZE_MAX);
}

void opening_drop(struct opening *opening, size_t len)
{
	opening->in_len -= len;
	if (opening->in_len > 0) {
		memmove(opening->in, opening->in + len, opening->in_len);
		return;
	}
	free(opening->in);
	opening->in = NULL;
	opening->in_size = 0;
}

int opening_put_back(struct opening *opening, const void *bytes, size_t len)
{
	if (len == 0)
		return 0;
	if (opening_grow(opening, opening->in_len + len))
		return -ENOMEM;
	memcpy(opening->in + opening->in_len, bytes, len);
	opening->in_len += len;
	return 0;
}

int opening_advance(struct opening *opening, int fd, struct handshake_out *refusal)
{
	size_t consumed = 0;
	enum parse result;

	refusal->len = 0;
	result = handshake_step(&opening->handshake, opening->in, opening->in_len, &consumed,
				refusal);
	opening_drop(opening, consumed);
	if (result != PARSE_BAD && !opening_answer(fd, refusal))
		return -EPIPE;
	return (int)result;
}

_Static_assert(PROXY_PROTOCOL_IN_MAX <= HANDSHAKE_IN_MAX, "it is read into the same buffer");

int opening_read_proxy_header(struct opening *opening, int fd, struct proxy_protocol *header)
{
	enum parse result = proxy_protocol_parse(opening->in, opening->in_len, header);

	while (result == PARSE_MORE) {
		int err = opening_read_some(opening, fd, header->need - opening->in_len);

		if (err)
			return err;
		result = proxy_protocol_parse(opening->in, opening->in_len, header);
	}
	if (result == PARSE_DONE) {
		opening->in_len = 0;
		opening->proxied_to = header->destination;
	}
	return (int)result;
}

int opening_add_proxy_header(struct opening *opening, const union address *client,
			     const union address *to)
{
	struct handshake *handshake = &opening->handshake;
	uint8_t header[PROXY_PROTOCOL_OUT_MAX];
	const size_t len = proxy_protocol_write(header, client, to);
	uint8_t *grown = realloc(handshake->head, handshake->head_len + len);

	if (!grown)
		return -ENOMEM;
	memmove(grown + len, grown, handshake->head_len);
	memcpy(grown, header, len);
	handshake->head = grown;
	handshake->head_len += len;
	return 0;
}

void opening_drop_head(struct opening *opening)
{
	free(opening->handshake.head);
	opening->handshake.head = NULL;
	opening->handshake.head_len = 0;
}

int opening_gather(struct opening *opening, const uint8_t **first, size_t *len)
{
	struct handshake *handshake = &opening->handshake;
	uint8_t *grown;

	*len = handshake->head_len + opening->in_len;
	if (opening->in_len > 0) {
		grown = realloc(handshake->head, *len);
		if (!grown)
			return -ENOMEM;
		handshake->head = grown;
		memcpy(grown + handshake->head_len, opening->in, opening->in_len);
		handshake->head_len = *len;
		opening_drop(opening, opening->in_len);
	}
	*first = handshake->head;
	return 0;
}

int opening_hand_over(struct opening *opening, struct relay *relay, const union address *bound,
		      size_t first_sent)
{
	struct handshake_out answer = {.len = 0};
	const uint8_t *first;
	size_t len;
	int err;

	handshake_reply(&opening->handshake, CAUSE_NONE, bound, &answer);
	err = flow_hold(&relay->flows[DOWN], answer.bytes, answer.len);
	if (!err)
		err = opening_gather(opening, &first, &len);
	if (err)
		return err;
	relay->client.uncounted = (int64_t)(opening->received - len);
	relay->flows[UP].bytes += len;
	relay_count_first(relay, len);
	return flow_hold(&relay->flows[UP], first + first_sent, len - first_sent);
}
