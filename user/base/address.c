/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text and bytes to addresses and back. A v4-mapped address is treated as the IPv4 address it
 * stands for everywhere, so that no rule can be passed by writing it the other way. */
#include "base/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* What stands before the IPv4 address in a v4-mapped one (RFC 4291 section 2.5.5.2). */
static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
#define V4_MAPPED_BITS (8 * sizeof(v4_mapped))

#define SOURCE_PREFIX_BYTES 8

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
	       "address_port() reads the port of both families at one place");

/* The IP inside an address; no bytes for AF_UNSPEC. */
struct ip {
	int family;
	const uint8_t *bytes;
	size_t len;
};

static struct ip ip_of(const union address *address)
{
	const uint8_t *v6 = address->in6.sin6_addr.s6_addr;

	if (address->sa.sa_family == AF_INET)
		return (struct ip){AF_INET, (const uint8_t *)&address->in4.sin_addr, 4};
	if (address->sa.sa_family != AF_INET6)
		return (struct ip){AF_UNSPEC, NULL, 0};
	if (memcmp(v6, v4_mapped, sizeof(v4_mapped)) == 0)
		return (struct ip){AF_INET, v6 + sizeof(v4_mapped), 4};
	return (struct ip){AF_INET6, v6, 16};
}

/* Digits only, no leading zero, at most max. */
static int parse_decimal(const char *text, unsigned int max, unsigned int *value)
{
	*value = 0;
	if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		*value = *value * 10 + (unsigned int)(*text - '0');
		if (*value > max)
			return -EINVAL;
	}
	return 0;
}

/* A literal address without brackets. Returns how it was written, AF_UNSPEC for no address. */
static int parse_ip(const char *text, uint16_t port, union address *out)
{
	uint8_t bytes[sizeof(struct in6_addr)];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, bytes) != 1)
		return AF_UNSPEC;
	address_from_bytes(out, family, bytes, port);
	return family;
}

int address_parse(const char *text, union address *out)
{
	struct destination destination;

	if (destination_parse(text, &destination) < 0 || destination.host[0] != '\0')
		return -EINVAL;
	*out = destination.address;
	return 0;
}

const char *address_format(const union address *address, char out[ADDRESS_TEXT_MAX])
{
	struct ip ip = ip_of(address);
	char text[INET6_ADDRSTRLEN];

	if (ip.family == AF_UNSPEC || !inet_ntop(ip.family, ip.bytes, text, sizeof(text)))
		snprintf(out, ADDRESS_TEXT_MAX, "-");
	else
		snprintf(out, ADDRESS_TEXT_MAX, ip.family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
			 address_port(address));
	return out;
}

const char *address_format_ip(const union address *address, char out[ADDRESS_TEXT_MAX])
{
	struct ip ip = ip_of(address);

	if (ip.family == AF_UNSPEC || !inet_ntop(ip.family, ip.bytes, out, ADDRESS_TEXT_MAX))
		snprintf(out, ADDRESS_TEXT_MAX, "-");
	return out;
}

socklen_t address_length(const union address *address)
{
	return address->sa.sa_family == AF_INET6 ? sizeof(address->in6) : sizeof(address->in4);
}

enum ip_family address_family(const union address *address)
{
	return address->sa.sa_family == AF_INET6 ? IP_V6 : IP_V4;
}

uint16_t address_port(const union address *address)
{
	return ntohs(address->in4.sin_port);
}

void address_set_port(union address *address, uint16_t port)
{
	address->in4.sin_port = htons(port);
}

void address_from_bytes(union address *out, int family, const void *bytes, uint16_t port)
{
	const uint8_t *ip = bytes;

	if (family == AF_INET6 && memcmp(ip, v4_mapped, sizeof(v4_mapped)) == 0) {
		family = AF_INET;
		ip += sizeof(v4_mapped);
	}
	memset(out, 0, sizeof(*out));
	if (family == AF_INET6) {
		out->in6.sin6_family = AF_INET6;
		memcpy(&out->in6.sin6_addr, ip, sizeof(out->in6.sin6_addr));
	} else {
		out->in4.sin_family = AF_INET;
		memcpy(&out->in4.sin_addr, ip, sizeof(out->in4.sin_addr));
	}
	address_set_port(out, port);
}

struct address_key address_key(const union address *address)
{
	const uint16_t port = address_port(address);
	struct address_key key = {.port = {(uint8_t)(port >> 8), (uint8_t)port}};

	if (address->sa.sa_family == AF_INET6) {
		memcpy(key.ip, &address->in6.sin6_addr, sizeof(key.ip));
	} else {
		memcpy(key.ip, v4_mapped, sizeof(v4_mapped));
		memcpy(key.ip + sizeof(v4_mapped), &address->in4.sin_addr, 4);
	}
	return key;
}

bool address_same_ip(const union address *a, const union address *b)
{
	struct ip x = ip_of(a);
	struct ip y = ip_of(b);

	return x.family == y.family && (x.len == 0 || memcmp(x.bytes, y.bytes, x.len) == 0);
}

bool address_is_among(const union address *address, const union address *set, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (address_same_ip(&set[i], address))
			return true;
	return false;
}

union address address_source(const union address *address)
{
	union address source = *address;

	address_set_port(&source, 0);
	if (source.sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&source.in6.sin6_addr))
		memset(source.in6.sin6_addr.s6_addr + SOURCE_PREFIX_BYTES, 0,
		       sizeof(source.in6.sin6_addr) - SOURCE_PREFIX_BYTES);
	return source;
}

bool address_same_source(const union address *a, const union address *b)
{
	const union address one = address_source(a);
	const union address other = address_source(b);

	return address_same_ip(&one, &other);
}

bool address_is_loopback(const union address *address)
{
	struct ip ip = ip_of(address);

	if (ip.family == AF_INET)
		return ip.bytes[0] == 127;
	return ip.family == AF_INET6 && memcmp(ip.bytes, &in6addr_loopback, ip.len) == 0;
}

bool address_is_any(const union address *address)
{
	struct ip ip = ip_of(address);

	return ip.family != AF_UNSPEC && memcmp(ip.bytes, &in6addr_any, ip.len) == 0;
}

/* The bits of byte i that belong to a prefix of so many bits. */
static uint8_t prefix_mask(unsigned int bits, size_t i)
{
	if (bits >= 8 * (i + 1))
		return 0xff;
	return bits <= 8 * i ? 0 : (uint8_t)(0xff00 >> (bits - 8 * i));
}

bool address_is_nowhere(const union address *address)
{
	if (address->sa.sa_family == AF_INET)
		return IN_MULTICAST(ntohl(address->in4.sin_addr.s_addr));
	return IN6_IS_ADDR_MULTICAST(&address->in6.sin6_addr) ||
	       IN6_IS_ADDR_LINKLOCAL(&address->in6.sin6_addr);
}

int prefix_parse(const char *text, struct prefix *out)
{
	char address[INET6_ADDRSTRLEN];
	size_t address_len = strcspn(text, "/");
	unsigned int max, bits;
	struct ip ip;
	int family;

	if (address_len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, address_len);
	address[address_len] = '\0';

	family = parse_ip(address, 0, &out->base);
	if (family == AF_UNSPEC)
		return -EINVAL;
	max = family == AF_INET6 ? 128 : 32;
	bits = max;
	if (text[address_len] == '/' && parse_decimal(text + address_len + 1, max, &bits) < 0)
		return -EINVAL;

	ip = ip_of(&out->base);
	if (ip.family != family) { /* v4-mapped: /96 is all of IPv4, less reaches beyond it */
		if (bits < V4_MAPPED_BITS)
			return -EINVAL;
		bits -= (unsigned int)V4_MAPPED_BITS;
	}
	for (size_t i = 0; i < ip.len; i++)
		if (ip.bytes[i] & ~prefix_mask(bits, i))
			return -EINVAL;
	out->bits = (uint8_t)bits;
	return 0;
}

const char *prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_MAX])
{
	struct ip ip = ip_of(&prefix->base);
	char text[INET6_ADDRSTRLEN];

	if (ip.family == AF_UNSPEC || !inet_ntop(ip.family, ip.bytes, text, sizeof(text)))
		snprintf(out, PREFIX_TEXT_MAX, "-");
	else
		snprintf(out, PREFIX_TEXT_MAX, "%s/%u", text, prefix->bits);
	return out;
}

bool prefix_contains(const struct prefix *prefix, const union address *address)
{
	struct ip base = ip_of(&prefix->base);
	struct ip ip = ip_of(address);

	if (ip.family != base.family)
		return false;
	for (size_t i = 0; i < ip.len; i++)
		if ((ip.bytes[i] ^ base.bytes[i]) & prefix_mask(prefix->bits, i))
			return false;
	return true;
}

bool destination_forget_name(struct destination *destination)
{
	if (!destination->host[0] || destination->address.sa.sa_family == AF_UNSPEC)
		return false;
	destination->host[0] = '\0';
	return true;
}

int destination_parse(const char *text, struct destination *out)
{
	const char *colon = strrchr(text, ':');
	unsigned int port;
	size_t host_len;

	if (!colon || parse_decimal(colon + 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	/* Without brackets nobody can tell where an IPv6 address ends and its port begins. */
	host_len = (size_t)(colon - text);
	if (text[0] != '[' && memchr(text, ':', host_len))
		return -EINVAL;
	return destination_from_host(out, text, host_len, (uint16_t)port);
}

/* Whether the last label is a number. No top-level domain is (RFC 3696 section 2), but resolvers
 * take "1.2.3", "0x7f.1" or "2130706433" for addresses that no rule of ours has seen. */
static bool ends_in_number(const char *name)
{
	size_t end = strlen(name);
	size_t start;

	if (end > 0 && name[end - 1] == '.')
		end--;
	for (start = end; start > 0 && name[start - 1] != '.'; start--)
		;
	name += start;
	if (name[0] == '0' && (name[1] == 'x' || name[1] == 'X'))
		return 2 + strspn(name + 2, "0123456789abcdefABCDEF") == end - start;
	return strspn(name, "0123456789") == end - start;
}

/* International names travel as punycode; a byte above ASCII has no business here. */
static bool is_host_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";

	return text[strspn(text, allowed)] == '\0' && !ends_in_number(text);
}

int destination_from_host(struct destination *out, const char *host, size_t len, uint16_t port)
{
	char text[HOST_NAME_MAX_BYTES + 1] = "";
	bool bracketed = len >= 2 && host[0] == '[' && host[len - 1] == ']';
	int family;

	if (bracketed) {
		host++;
		len -= 2;
	}
	if (len == 0 || len > HOST_NAME_MAX_BYTES || port == 0 || memchr(host, '\0', len))
		return -EINVAL;
	memcpy(text, host, len);

	memset(out, 0, sizeof(*out));
	out->port = port;
	address_set_port(&out->address, port);
	family = parse_ip(text, port, &out->address);
	if (bracketed)
		return family == AF_INET6 ? 0 : -EINVAL;
	if (family != AF_UNSPEC)
		return 0;
	if (!is_host_name(text))
		return -EINVAL;
	memcpy(out->host, text, sizeof(text));
	return 0;
}

const char *destination_format(const struct destination *destination,
			       char out[DESTINATION_TEXT_MAX])
{
	if (destination->host[0] == '\0')
		return address_format(&destination->address, out);
	snprintf(out, DESTINATION_TEXT_MAX, "%s:%u", destination->host, destination->port);
	return out;
}
