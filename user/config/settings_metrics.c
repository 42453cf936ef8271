/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The token by which somebody sees metrics and the page: judged and stored. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/text_file.h"
#include "config/settings_private.h"

#define TOKEN_MIN	     16
#define TOKEN_MAX	     256
#define TOKEN_FILE_MAX_BYTES 4096

/* What RFC 6750 section 2.1 lets a header carry. */
static bool is_token(const char *text, size_t len)
{
	return len >= TOKEN_MIN && len <= TOKEN_MAX &&
	       strspn(text,
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") >=
		       len;
}

int settings_metrics_token(const struct value *value, const struct limits *limits, void *out)
{
	char **token = out;
	struct stat info;
	size_t size = 0;
	char *text = text_file_read(value->text, TOKEN_FILE_MAX_BYTES, &size);
	size_t len;
	int err = 0;

	(void)limits;
	if (!text)
		return value_refuse(value,
				    "cannot be read: %s; expected a file of at most %d bytes",
				    strerror(errno), TOKEN_FILE_MAX_BYTES);
	len = strcspn(text, "\r\n");
	if (!is_token(text, len))
		err = value_refuse(value,
				   "no token on its first line; expected %d to %d letters, digits "
				   "or -._~+/=, as 'openssl rand -hex 32' prints",
				   TOKEN_MIN, TOKEN_MAX);
	if (!err && stat(value->text, &info) == 0 && info.st_mode & (S_IRGRP | S_IROTH))
		value_log(LOG_LEVEL_WARNING, value,
			  "others than the owner can read it; chmod 600 keeps the token secret");
	if (!err && *token)
		sodium_memzero(*token, strlen(*token));
	if (!err) {
		free(*token);
		*token = strndup(text, len);
		err = *token ? 0 : value_refuse_no_memory(value);
	}
	sodium_memzero(text, size);
	free(text);
	return err;
}
