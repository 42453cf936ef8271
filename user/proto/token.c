/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens as text and back. */
#include "proto/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/quantity.h"
#include "proto/speed_message.h"

_Static_assert(TOKEN_KEY_BYTES == crypto_auth_hmacsha512256_KEYBYTES, "the key is an HMAC key");

#define KEY_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define KEY_CHARS   (sodium_base64_ENCODED_LEN(TOKEN_KEY_BYTES, KEY_VARIANT) - 1)

#define NAME_EXPECTED "1 to 64 of A-Z a-z 0-9 . _ -"
#define LIMITS_EXPECTED                                                                            \
	"sessions=N (1 to 1000000), rate=N (bits per second, 800K to 800G; without a suffix "      \
	"bytes per second, 100000 to 100000000000), "                                              \
	"speedtest=N (bytes a day, 0 to 100T), "                                                   \
	"to=PREFIX,PREFIX (at most 16)"

#define SESSIONS_MAX 1000000
/* What is moved at once is not less than some hundred KB. */
#define RATE_MIN 100000ULL
#define RATE_MAX 100000000000ULL

#define SPEED_BYTES_MAX	  100000000000000ULL
#define SPEED_BYTES_UNSET UINT64_MAX

bool token_is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	const size_t len = strlen(name);

	return len >= 1 && len <= TOKEN_NAME_MAX && strspn(name, allowed) == len;
}

/* list is cut at its commas. */
static bool parse_prefixes(char *list, struct token *out)
{
	char *rest = NULL;

	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (out->to_count == TOKEN_TO_MAX || prefix_parse(word, &out->to[out->to_count]))
			return false;
		out->to_count++;
	}
	return out->to_count > 0;
}

static bool parse_limit(char *word, struct token *out)
{
	uint64_t sessions;

	if (strncmp(word, "sessions=", 9) == 0 && out->sessions_max == 0 &&
	    quantity_parse(word + 9, quantity_plain, 1, 1, SESSIONS_MAX, &sessions)) {
		out->sessions_max = (uint32_t)sessions;
		return true;
	}
	/* A suffix makes it bits as everywhere; without one it has always been bytes. */
	if (strncmp(word, "rate=", 5) == 0 && out->rate == 0) {
		const bool is_rate = quantity_parse(word + 5, quantity_powers, 8, 8 * RATE_MIN,
						    8 * RATE_MAX, &out->rate);

		out->rate /= 8;
		return is_rate;
	}
	if (strncmp(word, "speedtest=", 10) == 0 && out->speed_bytes == SPEED_BYTES_UNSET)
		return quantity_parse(word + 10, quantity_powers, 1, 0, SPEED_BYTES_MAX,
				      &out->speed_bytes);
	return strncmp(word, "to=", 3) == 0 && out->to_count == 0 && parse_prefixes(word + 3, out);
}

/* The decoder wants the text to be the key and nothing else. */
static bool parse_key(const char *text, uint8_t key[static TOKEN_KEY_BYTES])
{
	size_t len = 0;

	return strlen(text) == KEY_CHARS &&
	       sodium_base642bin(key, TOKEN_KEY_BYTES, text, KEY_CHARS, NULL, &len, NULL,
				 KEY_VARIANT) == 0 &&
	       len == TOKEN_KEY_BYTES;
}

int token_parse(const char *line, struct token *out, char error[TOKEN_ERROR_MAX])
{
	char copy[TOKEN_LINE_MAX + 1];
	const size_t len = strlen(line);
	char *rest = NULL;
	char *word;
	int err = -EINVAL;

	*out = (struct token){.speed_bytes = SPEED_BYTES_UNSET};
	if (len > TOKEN_LINE_MAX) {
		snprintf(error, TOKEN_ERROR_MAX, "longer than a token; expected %d bytes",
			 TOKEN_LINE_MAX);
		return -EINVAL;
	}
	memcpy(copy, line, len + 1);
	word = strtok_r(copy, " \t", &rest);
	if (!word || !token_is_name(word)) {
		snprintf(error, TOKEN_ERROR_MAX,
			 "does not begin with a token's name; expected " NAME_EXPECTED);
		goto out;
	}
	memcpy(out->name, word, strlen(word) + 1);
	word = strtok_r(NULL, " \t", &rest);
	if (!word || !parse_key(word, out->key)) {
		snprintf(error, TOKEN_ERROR_MAX,
			 "no key after the name; expected the %zu characters that "
			 "'hawser token new NAME' prints",
			 (size_t)KEY_CHARS);
		goto out;
	}
	while ((word = strtok_r(NULL, " \t", &rest))) {
		char shown[64];

		/* parse_limit() cuts the word. */
		snprintf(shown, sizeof(shown), "%s", word);
		if (!parse_limit(word, out)) {
			snprintf(error, TOKEN_ERROR_MAX,
				 "\"%s\" is no limit, or a second of its kind; "
				 "expected " LIMITS_EXPECTED,
				 shown);
			goto out;
		}
	}
	if (out->speed_bytes == SPEED_BYTES_UNSET)
		out->speed_bytes = SPEED_DAY_BYTES;
	err = 0;
out:
	sodium_memzero(copy, sizeof(copy));
	if (err)
		sodium_memzero(out, sizeof(*out));
	return err;
}

void token_new_line(const char *name, char line[TOKEN_LINE_MAX])
{
	uint8_t key[TOKEN_KEY_BYTES];
	char text[KEY_CHARS + 1];

	randombytes_buf(key, sizeof(key));
	sodium_bin2base64(text, sizeof(text), key, sizeof(key), KEY_VARIANT);
	snprintf(line, TOKEN_LINE_MAX, "%s %s", name, text);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(text, sizeof(text));
}
