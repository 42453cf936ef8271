/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of a token file. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[TOKEN_ERROR_MAX] = "";
	char *line = malloc(size + 1);
	struct token token;

	memcpy(line, data, size);
	line[size] = '\0';
	if (token_parse(line, &token, error) == 0)
		assert(token_is_name(token.name) && token.to_count <= TOKEN_TO_MAX && !error[0]);
	else
		assert(error[0] && !token.name[0] && strlen(error) < sizeof(error) - 1);
	free(line);
	return 0;
}
