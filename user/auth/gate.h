/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may use this exit: judges authentication messages. Any thread. */
#ifndef HAWSER_AUTH_GATE_H
#define HAWSER_AUTH_GATE_H

#include "auth/token_file.h"
#include "proto/hop_message.h"

/* What a listener that takes tokens has. */
struct gate {
	struct token_set tokens;
	char *exit_name; /* the only one that messages may name; NULL: any */
};

/* Judges the message and the SOCKS5 request behind it, and writes the answer. With HOP_ACCEPTED,
 * *token is that of the sender, and a session of its account has begun: token_state_end() when it
 * is over. Else *token is NULL, and with HOP_REFUSED *why is what the sender is not told. now_ms:
 * since 1970. */
enum hop_status gate_admit(const struct gate *gate, const struct hop_auth *auth,
			   const uint8_t *request, size_t request_len, uint64_t now_ms,
			   const struct token **token, uint8_t answer[static HOP_ANSWER_BYTES],
			   const char **why);

/* For the main thread, before a new configuration's gates are used: gives each token the account
 * that the same token (name and key) has in old, or a new one. old may be NULL with old_count 0. 0
 * or -ENOMEM. */
int gates_adopt(struct gate *const *gates, size_t count, struct gate *const *old, size_t old_count,
		uint64_t now_ms);

/* And when they are: revokes what is in old only. */
void gates_revoke(struct gate *const *gates, size_t count, struct gate *const *old,
		  size_t old_count);

/* Frees it with what is in it, and puts the accounts. */
void gate_free(struct gate *gate);

#endif
