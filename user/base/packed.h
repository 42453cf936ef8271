/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the build has put into the program compressed, as by gzip -9: a page, BPF objects. */
#ifndef HAWSER_BASE_PACKED_H
#define HAWSER_BASE_PACKED_H

#include <stddef.h>

/* What it was before, and its length; the caller's to free, with a NUL behind it. NULL when out of
 * memory, or when it is not whole. len of a gzip(1) file of one member (RFC 1952). */
char *packed_open(const void *packed, size_t len, size_t *size);

#endif
