// SPDX-License-Identifier: GPL-2.0-or-later
/* nftables by libnftables: commands in, all of them done or none. */
#include "intercept/nft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nftables/libnftables.h>

struct ruleset {
	struct nft_ctx *nft;
	char error[256];
};

struct ruleset *ruleset_open(void)
{
	struct ruleset *ruleset = calloc(1, sizeof(*ruleset));

	if (!ruleset)
		return NULL;
	ruleset->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ruleset->nft || nft_ctx_buffer_error(ruleset->nft) ||
	    nft_ctx_buffer_output(ruleset->nft)) {
		ruleset_close(ruleset);
		return NULL;
	}
	return ruleset;
}

void ruleset_close(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	if (ruleset->nft)
		nft_ctx_free(ruleset->nft);
	free(ruleset);
}

int ruleset_run(struct ruleset *ruleset, const char *commands)
{
	int failed = nft_run_cmd_from_buffer(ruleset->nft, commands);
	/* What is not read stays in the buffer. */
	const char *said = nft_ctx_get_error_buffer(ruleset->nft);

	if (!failed)
		return 0;
	said += strncmp(said, "Error: ", 7) == 0 ? 7 : 0;
	snprintf(ruleset->error, sizeof(ruleset->error), "%.*s", (int)strcspn(said, "\n"), said);
	return strstr(said, strerror(ENOENT)) ? -ENOENT : -EINVAL;
}

int ruleset_list(struct ruleset *ruleset, const char *command, const char **text)
{
	int err;

	nft_ctx_output_set_flags(ruleset->nft, NFT_CTX_OUTPUT_JSON);
	err = ruleset_run(ruleset, command);
	nft_ctx_output_set_flags(ruleset->nft, 0);
	*text = nft_ctx_get_output_buffer(ruleset->nft);
	return err;
}

const char *ruleset_error(const struct ruleset *ruleset)
{
	return ruleset->error;
}
