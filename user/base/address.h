/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket addresses, prefixes and destinations: parse, format, compare. No I/O, no name look-up. */
#ifndef HAWSER_BASE_ADDRESS_H
#define HAWSER_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define HOST_NAME_MAX_BYTES  255 /* RFC 1035 section 2.3.4; also what SOCKS5 can carry */
#define ADDRESS_TEXT_MAX     64	 /* "[IPv6]:PORT" and its NUL */
#define DESTINATION_TEXT_MAX (HOST_NAME_MAX_BYTES + sizeof(":65535"))

/* AF_UNSPEC means "none". */
union address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* Where a client wants to go: a name to be resolved, or, when host is "", an address. With both, an
 * exit gets the name, and who dials by itself takes the address. */
struct destination {
	char host[HOST_NAME_MAX_BYTES + 1];
	uint16_t port; /* host byte order, 1-65535; also set in address */
	union address address;
};

/* Index of what there is one of for each. */
enum ip_family { IP_V4, IP_V6, IP_FAMILIES };

struct prefix {
	union address base; /* port unused */
	uint8_t bits;
};

/* Parse "ADDR:PORT" or "[ADDR6]:PORT", port 1-65535. 0 or -EINVAL. */
int address_parse(const char *text, union address *out);

/* Returns out, filled with "ADDR:PORT" or "[ADDR6]:PORT"; "-" for AF_UNSPEC. */
const char *address_format(const union address *address, char out[ADDRESS_TEXT_MAX]);

/* The same without the port and brackets. */
const char *address_format_ip(const union address *address, char out[ADDRESS_TEXT_MAX]);

/* Of an address that is AF_INET or AF_INET6. */
enum ip_family address_family(const union address *address);

/* Length for bind() and connect(). */
socklen_t address_length(const union address *address);

uint16_t address_port(const union address *address);
void address_set_port(union address *address, uint16_t port);

/* From network-order bytes: 4 for AF_INET, 16 for AF_INET6. A v4-mapped IPv6 address (RFC 4291
 * section 2.5.5.2) becomes AF_INET. */
void address_from_bytes(union address *out, int family, const void *bytes, uint16_t port);

/* Address and port in network order, to be hashed or compared as bytes; IPv4 is v4-mapped. */
struct address_key {
	uint8_t ip[16];
	uint8_t port[2];
};

struct address_key address_key(const union address *address);

/* Same family and IP; ports are not compared. */
bool address_same_ip(const union address *a, const union address *b);
bool address_is_among(const union address *address, const union address *set, size_t count);

/* Of what a household or a rented machine has: the address without a port, of IPv6 its /64. */
union address address_source(const union address *address);
bool address_same_source(const union address *a, const union address *b);

/* 127.0.0.0/8, ::1. */
bool address_is_loopback(const union address *address);

/* 0.0.0.0, ::; connect() takes these for the local host. */
bool address_is_any(const union address *address);

/* Multicast or link-local IPv6: the kernel has no listener there, or nobody could reach it. */
bool address_is_nowhere(const union address *address);

/* Parse "ADDR/BITS" or a lone address (all its bits). Bits set beyond BITS are an error.
 * 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *out);

#define PREFIX_TEXT_MAX 64 /* "IPv6/128" and its NUL */

/* Returns out, filled with "ADDR/BITS". */
const char *prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_MAX]);

bool prefix_contains(const struct prefix *prefix, const union address *address);

/* From now on the address counts. False when there is none: mostly a name is all that is known. */
bool destination_forget_name(struct destination *destination);

/* Parse "HOST:PORT", "ADDR:PORT" or "[ADDR6]:PORT". 0 or -EINVAL. */
int destination_parse(const char *text, struct destination *out);

/* From a host as a protocol carried it (not NUL-terminated): a literal address (IPv6 with or
 * without brackets) becomes an address, all else a name. -EINVAL for an empty or overlong name, or
 * one with a byte that no host name has (space, control, NUL, '/'...) and for port 0. */
int destination_from_host(struct destination *out, const char *host, size_t len, uint16_t port);

/* Returns out. */
const char *destination_format(const struct destination *destination,
			       char out[DESTINATION_TEXT_MAX]);

#endif
