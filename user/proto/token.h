/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a router proves to an exit that it may use it: a name, a secret key, and, for the exit,
 * limits. Text and struct only; no files. */
#ifndef HAWSER_PROTO_TOKEN_H
#define HAWSER_PROTO_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define TOKEN_NAME_MAX	64
#define TOKEN_KEY_BYTES 32   /* crypto_auth_hmacsha512256_KEYBYTES */
#define TOKEN_LINE_MAX	1024 /* with limits, without the newline */
#define TOKEN_TO_MAX	16
#define TOKEN_ERROR_MAX 384

struct token_state;

struct token {
	char name[TOKEN_NAME_MAX + 1];
	uint8_t key[TOKEN_KEY_BYTES];
	/* The exit's limits. */
	uint32_t sessions_max; /* at once; 0: no limit */
	uint64_t rate;	       /* bytes per second, each way; 0: no limit */
	uint64_t speed_bytes;  /* of speed tests a day; 0: none */
	struct prefix to[TOKEN_TO_MAX];
	size_t to_count; /* 0: every destination that the exit allows */
	/* What the exit's threads share about this token; NULL on a router. The configuration's. */
	struct token_state *token_state;
};

/* Whether name can be a token's: 1 to 64 bytes of A-Z a-z 0-9 . _ - */
bool token_is_name(const char *name);

/* Reads "NAME KEY [sessions=N] [rate=N] [speedtest=N] [to=PREFIX,PREFIX...]"; line is not changed.
 * 0, or -EINVAL with what is wrong and what is expected in error, which never quotes the key. */
int token_parse(const char *line, struct token *out, char error[TOKEN_ERROR_MAX]);

/* Writes "NAME KEY" with a fresh random key, for which sodium_init() must have been called. The
 * caller wipes line. */
void token_new_line(const char *name, char line[TOKEN_LINE_MAX]);

#endif
