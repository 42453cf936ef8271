/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as they stand in messages. */
#ifndef HAWSER_PROTO_BIG_ENDIAN_H
#define HAWSER_PROTO_BIG_ENDIAN_H

#include <stddef.h>
#include <stdint.h>

static inline void put_be(uint8_t *out, size_t bytes, uint64_t value)
{
	while (bytes > 0) {
		out[--bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static inline uint64_t get_be(const uint8_t *in, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | in[i];
	return value;
}

#endif
