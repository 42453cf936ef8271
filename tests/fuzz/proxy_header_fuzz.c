/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header that a listed proxy begins a connection with. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const union address *a, const union address *b)
{
	return address_same_ip(a, b) && address_port(a) == address_port(b);
}

/* What was read can be written, and is read as the same again. */
static void check_again(const struct proxy_protocol *header)
{
	uint8_t out[PROXY_PROTOCOL_OUT_MAX];
	struct proxy_protocol again;
	const size_t len = proxy_protocol_write(out, &header->source, &header->destination);

	assert(len <= sizeof(out));
	assert(proxy_protocol_parse(out, len, &again) == PARSE_DONE && again.need == len);
	if (header->source.sa.sa_family == AF_UNSPEC)
		assert(again.source.sa.sa_family == AF_UNSPEC);
	else
		assert(same(&header->source, &again.source) &&
		       same(&header->destination, &again.destination));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_protocol header = {.need = PROXY_PROTOCOL_FIXED_BYTES};
	enum parse result = PARSE_MORE;

	/* As a session reads: no more than was asked for. */
	while (result == PARSE_MORE && header.need <= size) {
		const size_t len = header.need;
		uint8_t *copy = malloc(len);

		memcpy(copy, data, len);
		result = proxy_protocol_parse(copy, len, &header);
		free(copy);
		assert(result != PARSE_MORE ||
		       (header.need > len && header.need <= PROXY_PROTOCOL_IN_MAX));
		assert((result == PARSE_BAD) == (header.problem != NULL));
	}
	if (result == PARSE_DONE)
		check_again(&header);
	return 0;
}
