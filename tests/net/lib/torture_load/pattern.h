/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams that any byte lost, doubled or moved would break, at memcmp speed. */
#ifndef HAWSER_TORTURE_PATTERN_H
#define HAWSER_TORTURE_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_PART_MAX ((size_t)256 * 1024)

void pattern_init(void);

/* The bytes of the stream of this key from offset on: PATTERN_PART_MAX of them can be read. */
const unsigned char *pattern_at(uint64_t key, uint64_t offset);

/* Where in the stream these bytes belong, as near to offset as the pattern's period allows:
 * negative if doubled, positive if what is before them was lost. PATTERN_UNKNOWN: nowhere. */
#define PATTERN_UNKNOWN INT64_MAX
int64_t pattern_distance(uint64_t key, uint64_t offset, const unsigned char *bytes, size_t len);

#endif
