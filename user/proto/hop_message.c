/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages between a router and its exit. */
#include "proto/hop_message.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "proto/big_endian.h"
#include "proto/socks5_address.h"

_Static_assert(HOP_MAC_BYTES == crypto_auth_hmacsha512256_BYTES, "HMAC-SHA-512-256");

/* What a MAC is of begins with one of these, so that none can be taken for another. */
static const char request_label[] = "hawser-hop-1 request";
static const char answer_label[] = "hawser-hop-1 answer";

/* Offsets in the authentication message and in the answer to it. */
enum { AUTH_TIME = 1, AUTH_NONCE = 9, AUTH_TOKEN = 25 };
enum { ANSWER_STATUS = 1, ANSWER_TIME = 2, ANSWER_MAC = 10 };

#define REPLY_HEAD_BYTES 5

struct writer {
	uint8_t *at;
};

static void put(struct writer *writer, const void *bytes, size_t len)
{
	memcpy(writer->at, bytes, len);
	writer->at += len;
}

static void put_u8(struct writer *writer, uint8_t value)
{
	*writer->at++ = value;
}

static void put_u64(struct writer *writer, uint64_t value)
{
	put_be(writer->at, 8, value);
	writer->at += 8;
}

/* A length byte and the text. */
static void put_text(struct writer *writer, const char *text)
{
	const size_t len = strlen(text);

	put_u8(writer, (uint8_t)len);
	put(writer, text, len);
}

/* In the form of a SOCKS5 request to an IPv6 address. */
static void put_speed_request(struct writer *writer, const struct speed_request *speed)
{
	const uint8_t head[] = {SOCKS5_VERSION, HOP_COMMAND_SPEED, 0, SOCKS5_IPV6};
	uint8_t address[SPEED_ADDRESS_BYTES + 2] = {0};

	speed_request_write(address, speed);
	put(writer, head, sizeof(head));
	put(writer, address, sizeof(address));
}

/* RFC 1928 section 4. */
static void put_request(struct writer *writer, const struct destination *destination)
{
	const struct destination nowhere = {.address.in4 = {.sin_family = AF_INET}};
	const struct destination *to = destination ? destination : &nowhere;
	const union address *address = &to->address;

	put_u8(writer, SOCKS5_VERSION);
	put_u8(writer, destination ? SOCKS5_CONNECT : HOP_COMMAND_PROBE);
	put_u8(writer, 0);
	if (to->host[0]) {
		put_u8(writer, SOCKS5_NAME);
		put_text(writer, to->host);
	} else if (address->sa.sa_family == AF_INET6) {
		put_u8(writer, SOCKS5_IPV6);
		put(writer, &address->in6.sin6_addr, sizeof(address->in6.sin6_addr));
	} else {
		put_u8(writer, SOCKS5_IPV4);
		put(writer, &address->in4.sin_addr, sizeof(address->in4.sin_addr));
	}
	put_u8(writer, (uint8_t)(to->port >> 8));
	put_u8(writer, (uint8_t)to->port);
}

static void mac_request(uint8_t out[static HOP_MAC_BYTES], const uint8_t *key, const uint8_t *auth,
			size_t auth_len, const uint8_t *request, size_t request_len)
{
	crypto_auth_hmacsha512256_state state;

	crypto_auth_hmacsha512256_init(&state, key, TOKEN_KEY_BYTES);
	crypto_auth_hmacsha512256_update(&state, (const uint8_t *)request_label,
					 sizeof(request_label) - 1);
	crypto_auth_hmacsha512256_update(&state, auth, auth_len);
	crypto_auth_hmacsha512256_update(&state, request, request_len);
	crypto_auth_hmacsha512256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

/* answer: what stands before its MAC. */
static void mac_answer(uint8_t out[static HOP_MAC_BYTES], const uint8_t *key, const uint8_t *answer,
		       const uint8_t *nonce)
{
	crypto_auth_hmacsha512256_state state;

	crypto_auth_hmacsha512256_init(&state, key, TOKEN_KEY_BYTES);
	crypto_auth_hmacsha512256_update(&state, (const uint8_t *)answer_label,
					 sizeof(answer_label) - 1);
	crypto_auth_hmacsha512256_update(&state, answer, ANSWER_MAC);
	crypto_auth_hmacsha512256_update(&state, nonce, HOP_NONCE_BYTES);
	crypto_auth_hmacsha512256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

size_t hop_head_write(uint8_t out[static HOP_HEAD_MAX], const struct hop_order *order)
{
	const uint8_t greeting[] = {SOCKS5_VERSION, 1, HOP_METHOD};
	struct writer writer = {out};
	uint8_t *auth, *mac, *request;

	put(&writer, greeting, sizeof(greeting));
	auth = writer.at;
	put_u8(&writer, HOP_VERSION);
	put_u64(&writer, order->time_ms);
	put(&writer, order->nonce, sizeof(order->nonce));
	put_text(&writer, order->token->name);
	put_text(&writer, order->exit_name);
	mac = writer.at;
	request = mac + HOP_MAC_BYTES;
	writer.at = request;
	if (order->speed)
		put_speed_request(&writer, order->speed);
	else
		put_request(&writer, order->destination);
	mac_request(mac, order->token->key, auth, (size_t)(mac - auth), request,
		    (size_t)(writer.at - request));
	return (size_t)(writer.at - out);
}

int hop_auth_size(const uint8_t *in, size_t len)
{
	size_t token_len, exit_len;

	if (len > 0 && in[0] != HOP_VERSION)
		return -EINVAL;
	if (len <= AUTH_TOKEN)
		return 0;
	token_len = in[AUTH_TOKEN];
	if (token_len == 0 || token_len > TOKEN_NAME_MAX)
		return -EINVAL;
	if (len <= AUTH_TOKEN + 1 + token_len)
		return 0;
	exit_len = in[AUTH_TOKEN + 1 + token_len];
	if (exit_len == 0)
		return -EINVAL;
	return (int)(AUTH_TOKEN + 1 + token_len + 1 + exit_len + HOP_MAC_BYTES);
}

void hop_auth_read(const uint8_t *in, size_t size, struct hop_auth *out)
{
	*out = (struct hop_auth){
		.time_ms = get_be(in + AUTH_TIME, 8),
		.nonce = in + AUTH_NONCE,
		.token = (const char *)in + AUTH_TOKEN + 1,
		.token_len = in[AUTH_TOKEN],
		.message = in,
		.size = size,
	};
	out->exit_name = out->token + out->token_len + 1;
	out->exit_name_len = (uint8_t)out->exit_name[-1];
}

bool hop_auth_verify(const struct hop_auth *auth, const uint8_t *request, size_t request_len,
		     const uint8_t key[static TOKEN_KEY_BYTES])
{
	const size_t signed_len = auth->size - HOP_MAC_BYTES;
	uint8_t mac[HOP_MAC_BYTES];

	mac_request(mac, key, auth->message, signed_len, request, request_len);
	return sodium_memcmp(mac, auth->message + signed_len, sizeof(mac)) == 0;
}

enum cause hop_cause_of(enum hop_status status)
{
	static const enum cause causes[HOP_STATUS_COUNT] = {
		[HOP_ACCEPTED] = CAUSE_NONE,
		[HOP_REFUSED] = CAUSE_AUTH_FAILED,
		[HOP_CLOCK] = CAUSE_CLOCK,
		[HOP_BUSY] = CAUSE_LIMIT,
	};

	return causes[status];
}

void hop_answer_write(uint8_t out[static HOP_ANSWER_BYTES], enum hop_status status,
		      uint64_t time_ms, const uint8_t *nonce, const uint8_t *key)
{
	struct writer writer = {out};

	memset(out, 0, HOP_ANSWER_BYTES);
	put_u8(&writer, HOP_VERSION);
	put_u8(&writer, (uint8_t)status);
	if (status == HOP_REFUSED)
		return;
	put_u64(&writer, time_ms);
	mac_answer(writer.at, key, out, nonce);
}

void hop_answers_init(struct hop_answers *answers, const struct hop_order *order)
{
	*answers = (struct hop_answers){.stage = HOP_STAGE_METHOD};
	memcpy(answers->key, order->token->key, sizeof(answers->key));
	memcpy(answers->nonce, order->nonce, sizeof(answers->nonce));
}

/* Bytes of a SOCKS5 reply behind its head; 0 if there is no such address type. */
static size_t reply_rest(const uint8_t *head)
{
	const size_t size = socks5_address_size(head[3], head[4]);

	return size ? 4 + size + 2 - REPLY_HEAD_BYTES : 0;
}

size_t hop_answers_size(const struct hop_answers *answers)
{
	switch (answers->stage) {
	case HOP_STAGE_METHOD:
		return 2;
	case HOP_STAGE_ANSWER:
		return HOP_ANSWER_BYTES;
	case HOP_STAGE_REPLY_HEAD:
		return REPLY_HEAD_BYTES;
	case HOP_STAGE_REPLY_REST:
		return reply_rest(answers->reply);
	default:
		return 0;
	}
}

static enum hop_event read_answer(struct hop_answers *answers, const uint8_t *in)
{
	uint8_t mac[HOP_MAC_BYTES];

	if (in[0] != HOP_VERSION || in[ANSWER_STATUS] >= HOP_STATUS_COUNT)
		return HOP_EVENT_INVALID;
	answers->status = (enum hop_status)in[ANSWER_STATUS];
	if (answers->status != HOP_REFUSED) {
		mac_answer(mac, answers->key, in, answers->nonce);
		if (sodium_memcmp(mac, in + ANSWER_MAC, sizeof(mac)) != 0)
			return HOP_EVENT_INVALID;
		answers->time_ms = get_be(in + ANSWER_TIME, 8);
	}
	answers->stage = HOP_STAGE_REPLY_HEAD;
	return answers->status == HOP_ACCEPTED ? HOP_EVENT_ACCEPTED : HOP_EVENT_DECLINED;
}

/* BND.ADDR and BND.PORT, as far as they are an address. */
static void read_bound(struct hop_answers *answers)
{
	const uint8_t *address = answers->reply + 4;
	const bool v6 = answers->reply[3] == SOCKS5_IPV6;
	const uint8_t *port = address + (v6 ? 16 : 4);

	if (answers->reply[3] != SOCKS5_NAME)
		address_from_bytes(&answers->bound, v6 ? AF_INET6 : AF_INET, address,
				   (uint16_t)(port[0] << 8 | port[1]));
}

enum hop_event hop_answers_read(struct hop_answers *answers, const uint8_t *in)
{
	switch (answers->stage) {
	case HOP_STAGE_METHOD:
		if (in[0] != SOCKS5_VERSION || in[1] != HOP_METHOD)
			return HOP_EVENT_INVALID;
		answers->stage = HOP_STAGE_ANSWER;
		return HOP_EVENT_MORE;
	case HOP_STAGE_ANSWER:
		return read_answer(answers, in);
	case HOP_STAGE_REPLY_HEAD:
		memcpy(answers->reply, in, REPLY_HEAD_BYTES);
		if (in[0] != SOCKS5_VERSION || in[2] != 0 || reply_rest(in) == 0)
			return HOP_EVENT_INVALID;
		answers->stage = HOP_STAGE_REPLY_REST;
		return HOP_EVENT_MORE;
	case HOP_STAGE_REPLY_REST:
		memcpy(answers->reply + REPLY_HEAD_BYTES, in, reply_rest(answers->reply));
		answers->cause = cause_from_socks5_reply(answers->reply[1]);
		read_bound(answers);
		answers->stage = HOP_STAGE_DONE;
		return HOP_EVENT_REPLIED;
	default:
		return HOP_EVENT_INVALID;
	}
}
