/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/packed.h"

#include <stdint.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#define HEAD_MIN 18
#define AS_GZIP	 16 /* zlib's: not its own format */

char *packed_open(const void *packed, size_t len, size_t *size)
{
	const unsigned char *end = (const unsigned char *)packed + len;
	z_stream stream = {.next_in = packed, .avail_in = (unsigned int)len};
	unsigned char *out;
	int result;

	if (len < HEAD_MIN)
		return NULL;
	*size = (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 |
		(size_t)end[-1] << 24;
	out = *size < SIZE_MAX ? malloc(*size + 1) : NULL;
	if (!out || inflateInit2(&stream, MAX_WBITS + AS_GZIP) != Z_OK) {
		free(out);
		return NULL;
	}
	stream.next_out = out;
	stream.avail_out = (unsigned int)*size;
	result = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	if (result != Z_STREAM_END || stream.avail_out > 0) {
		free(out);
		return NULL;
	}
	out[*size] = '\0';
	return (char *)out;
}
