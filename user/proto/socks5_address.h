/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of SOCKS5 (RFC 1928 sections 3 to 5) that its dialogue and the hop's messages share. */
#ifndef HAWSER_PROTO_SOCKS5_ADDRESS_H
#define HAWSER_PROTO_SOCKS5_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#define SOCKS5_VERSION 5
#define SOCKS5_CONNECT 1

enum socks5_address_type {
	SOCKS5_IPV4 = 1,
	SOCKS5_NAME = 3,
	SOCKS5_IPV6 = 4,
};

/* Bytes of an address of this type, whose first byte is given, with the length byte of a name; 0 if
 * there is no such type. */
size_t socks5_address_size(uint8_t type, uint8_t first);

#endif
