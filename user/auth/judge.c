/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "auth/judge.h"

#include "auth/gate.h"
#include "auth/users.h"
#include "base/clock.h"

static enum hop_status judge_token(const struct gate *gate, const struct hop_auth *auth,
				   const uint8_t *request, size_t request_len,
				   const struct token **token,
				   uint8_t answer[static HOP_ANSWER_BYTES], const char **why)
{
	return gate_admit(gate, auth, request, request_len, clock_now_ms(), token, answer, why);
}

const struct handshake_judge auth_judge = {.password = users_check, .token = judge_token};
