/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/socks5_address.h"

#include <netinet/in.h>

size_t socks5_address_size(uint8_t type, uint8_t first)
{
	switch (type) {
	case SOCKS5_IPV4:
		return sizeof(struct in_addr);
	case SOCKS5_IPV6:
		return sizeof(struct in6_addr);
	case SOCKS5_NAME:
		return 1U + first;
	default:
		return 0;
	}
}
