/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements of the sets in the nftables table "inet hawser", by netlink: cheap enough to be done
 * several times a second, unlike nft's commands. */
#ifndef HAWSER_INTERCEPT_NFT_SET_H
#define HAWSER_INTERCEPT_NFT_SET_H

#include <stddef.h>
#include <stdint.h>

#define NFT_SET_KEY_MAX 20 /* an IPv6 address and a port */

/* As the kernel keeps it: network byte order, every part of a concatenation padded to 4 bytes. */
struct nft_set_element {
	uint8_t key[NFT_SET_KEY_MAX];
	uint8_t key_len;
};

/* All of these change all elements or none. 0 or -errno; -ENOENT: there is no such table or set,
 * or, to delete, no such element. */

/* Adds them, or has them time out anew. */
int nft_set_renew(const char *set, const struct nft_set_element *elements, size_t count,
		  uint64_t timeout_ms);

int nft_set_delete(const char *set, const struct nft_set_element *elements, size_t count);

#endif
