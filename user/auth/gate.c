/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may use this exit. */
#include "auth/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "shared/token_state.h"

/* An unknown name costs the sender as much time as a wrong key: nobody can try names. */
static const uint8_t no_key[TOKEN_KEY_BYTES];

static const struct token *verify(const struct gate *gate, const struct hop_auth *auth,
				  const uint8_t *request, size_t request_len, const char **why)
{
	const struct token *token = token_set_find(&gate->tokens, auth->token, auth->token_len);
	const bool verified =
		hop_auth_verify(auth, request, request_len, token ? token->key : no_key);

	*why = token ? "wrong key" : "no such token";
	if (!verified || !token || !token->token_state)
		return NULL;
	*why = "revoked";
	/* A worker that has not got the new configuration yet must not let it in any more. */
	return token_state_is_revoked(token->token_state) ? NULL : token;
}

static bool names_us(const struct gate *gate, const struct hop_auth *auth)
{
	return !gate->exit_name ||
	       (strlen(gate->exit_name) == auth->exit_name_len &&
		memcmp(gate->exit_name, auth->exit_name, auth->exit_name_len) == 0);
}

static enum hop_status judge(const struct token *token, const struct hop_auth *auth,
			     uint64_t now_ms)
{
	double full_s;

	switch (token_state_check(token->token_state, auth->time_ms, auth->nonce, now_ms)) {
	case REPLAY_FRESH:
		if (!token_state_begin(token->token_state, token->sessions_max)) {
			if (episode_goes_on(token_state_full(token->token_state),
					    clock_monotonic_s()))
				log_warning("token %s has all of its sessions=%u; more are refused",
					    token->name, token->sessions_max);
			return HOP_BUSY;
		}
		full_s = episode_ends(token_state_full(token->token_state), clock_monotonic_s());
		if (full_s > 0)
			log_info("token %s has room for sessions again, after %.0f s", token->name,
				 full_s);
		return HOP_ACCEPTED;
	case REPLAY_TIME:
		return HOP_CLOCK;
	default:
		return HOP_REFUSED;
	}
}

enum hop_status gate_admit(const struct gate *gate, const struct hop_auth *auth,
			   const uint8_t *request, size_t request_len, uint64_t now_ms,
			   const struct token **token, uint8_t answer[static HOP_ANSWER_BYTES],
			   const char **why)
{
	const struct token *sender = verify(gate, auth, request, request_len, why);
	enum hop_status status = HOP_REFUSED;

	if (sender && names_us(gate, auth)) {
		*why = "seen before: recorded and sent again";
		status = judge(sender, auth, now_ms);
	} else if (sender) {
		*why = "meant for an exit of another name";
	}
	hop_answer_write(answer, status, now_ms, auth->nonce, sender ? sender->key : NULL);
	*token = status == HOP_ACCEPTED ? sender : NULL;
	return status;
}

/* The account of the same token, with a reference; NULL if there is none. */
static struct token_state *find_account(struct gate *const *gates, size_t count,
					const struct token *token)
{
	for (size_t i = 0; i < count; i++) {
		const struct token *same =
			token_set_find(&gates[i]->tokens, token->name, strlen(token->name));

		if (same && same->token_state &&
		    sodium_memcmp(same->key, token->key, sizeof(token->key)) == 0)
			return token_state_get(same->token_state);
	}
	return NULL;
}

int gates_adopt(struct gate *const *gates, size_t count, struct gate *const *old, size_t old_count,
		uint64_t now_ms)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < gates[i]->tokens.count; j++) {
			struct token *token = &gates[i]->tokens.token[j];

			token->token_state = find_account(old, old_count, token);
			/* Two listeners may have the same file. */
			if (!token->token_state)
				token->token_state = find_account(gates, i, token);
			if (!token->token_state)
				token->token_state = token_state_new(now_ms);
			if (!token->token_state)
				return -ENOMEM;
		}
	}
	return 0;
}

void gates_revoke(struct gate *const *gates, size_t count, struct gate *const *old,
		  size_t old_count)
{
	for (size_t i = 0; i < old_count; i++) {
		for (size_t j = 0; j < old[i]->tokens.count; j++) {
			struct token_state *kept =
				find_account(gates, count, &old[i]->tokens.token[j]);

			if (!kept)
				token_state_revoke(old[i]->tokens.token[j].token_state);
			token_state_put(kept);
		}
	}
}

void gate_free(struct gate *gate)
{
	for (size_t i = 0; i < gate->tokens.count; i++)
		token_state_put(gate->tokens.token[i].token_state);
	token_set_free(&gate->tokens);
	free(gate->exit_name);
	free(gate);
}
