/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a router reads from an exit, or from whoever has its address: method, answer, SOCKS5 reply.
 * The input: one byte that says whether to sign the answer, the messages. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hop_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define METHOD_BYTES 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct token token = {.name = "home", .key = {1, 2, 3}};
	const struct hop_order order = {.token = &token, .exit_name = "vps", .nonce = {4, 5, 6}};
	enum hop_event event = HOP_EVENT_MORE;
	struct speed_verdict verdict;
	struct hop_answers answers;
	bool is_signed, accepted = false;
	size_t at = 0, len;
	uint8_t *in;

	if (size < 1)
		return 0;
	len = size - 1;
	in = malloc(len + 1);
	memcpy(in, data + 1, len);
	is_signed = data[0] & 1 && len >= METHOD_BYTES + HOP_ANSWER_BYTES;
	if (is_signed)
		hop_answer_write(in + METHOD_BYTES, (enum hop_status)(in[3] % HOP_STATUS_COUNT), at,
				 order.nonce, token.key);
	hop_answers_init(&answers, &order);
	while (event == HOP_EVENT_MORE || event == HOP_EVENT_ACCEPTED) {
		const size_t wanted = hop_answers_size(&answers);
		uint8_t *block;

		assert(wanted >= 1 && wanted <= HOP_MESSAGE_MAX);
		if (len - at < wanted)
			break;
		block = malloc(wanted);
		memcpy(block, in + at, wanted);
		event = hop_answers_read(&answers, block);
		free(block);
		at += wanted;
		accepted |= event == HOP_EVENT_ACCEPTED;
	}
	/* Without the key one can but refuse. */
	assert(is_signed || !accepted);
	assert(is_signed || answers.time_ms == 0);
	assert(is_signed || event != HOP_EVENT_DECLINED || answers.status == HOP_REFUSED);
	if (event == HOP_EVENT_REPLIED && answers.bound.sa.sa_family == AF_INET6 &&
	    speed_verdict_read(answers.bound.in6.sin6_addr.s6_addr, &verdict))
		assert(verdict.refusal <= SPEED_CROWDED);
	assert(event != HOP_EVENT_REPLIED || (accepted && answers.cause < CAUSE_COUNT));
	free(in);
	return 0;
}
