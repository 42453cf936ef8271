/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "web/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/packed.h"

#define HASH_TEXT_MAX                                                                              \
	sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL)

static const unsigned char page[] = {
#include <page.html.inc>
};

const char *page_packed(size_t *len)
{
	*len = sizeof(page);
	return (const char *)page;
}

const char *page_text(size_t *len)
{
	static char *text;
	static size_t text_len;

	if (!text)
		text = packed_open(page, sizeof(page), &text_len);
	*len = text_len;
	return text;
}

/* Of what stands between the tags, base64. */
static void hash_element(const char *text, const char *open, const char *close,
			 char out[static HASH_TEXT_MAX])
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	const char *begin = strstr(text, open);
	const char *end = begin ? strstr(begin, close) : NULL;

	*out = '\0';
	if (!end)
		return;
	begin += strlen(open);
	crypto_hash_sha256(hash, (const unsigned char *)begin, (unsigned long long)(end - begin));
	sodium_bin2base64(out, HASH_TEXT_MAX, hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
}

const char *page_policy(void)
{
	static char policy[512];
	char script[HASH_TEXT_MAX];
	char style[HASH_TEXT_MAX];
	size_t len;
	char *text;

	if (*policy)
		return policy;
	text = packed_open(page, sizeof(page), &len);
	if (!text)
		return NULL;
	hash_element(text, "<script>", "</script>", script);
	hash_element(text, "<style>", "</style>", style);
	free(text);
	snprintf(policy, sizeof(policy),
		 "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; "
		 "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
		 "frame-ancestors 'none'",
		 script, style);
	return policy;
}
