/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is on the local networks: hardware addresses by IP address, as the kernel knows them. */
#ifndef HAWSER_NET_NEIGHBOURS_H
#define HAWSER_NET_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define NEIGHBOURS_MAX 4096
#define MAC_TEXT_MAX   sizeof("00:16:3e:0a:0b:0c")

struct neighbour {
	union address address;
	uint8_t mac[6];
};

/* All zero: none. The list is malloc'ed. */
struct neighbours {
	struct neighbour *list;
	size_t count;
};

/* Asks the kernel. 0 or -errno; neighbours_free() is allowed in any case. */
int neighbours_load(struct neighbours *out);
void neighbours_free(struct neighbours *neighbours);

/* Fills out with the hardware address of who has this one. NULL, or out. */
const char *neighbours_find(const struct neighbours *neighbours, const union address *address,
			    char out[MAC_TEXT_MAX]);

#endif
