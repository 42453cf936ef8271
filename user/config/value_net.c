/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of the configuration that are addresses and names of the network. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/ifname.h"
#include "config/intercept_config.h"
#include "config/value.h"

#define PORT_LEGAL "PORT from 1 to 65535"

int value_address(const struct value *value, const struct limits *limits, void *out)
{
	(void)limits;
	if (address_parse(value->text, out))
		return value_refuse(value, "expected an IP address and a port, ADDR:PORT or "
					   "[ADDR6]:PORT, " PORT_LEGAL);
	return 0;
}

/* Broadcast, link-local (RFC 3927) and "this network". */
static bool is_off_the_road4(const union address *address)
{
	const uint32_t ip = ntohl(address->in4.sin_addr.s_addr);

	return address->sa.sa_family == AF_INET &&
	       (ip == INADDR_BROADCAST || ip >> 16 == 0xa9fe || ip >> 24 == 0);
}

int value_announced(const struct value *value, const struct limits *limits, void *out)
{
	union address *address = out;
	struct prefix prefix;

	(void)limits;
	if (!strchr(value->text, '/') && prefix_parse(value->text, &prefix) == 0)
		*address = prefix.base;
	else if (address_parse(value->text, address))
		return value_refuse(value, "expected an address of this host, ADDR, ADDR:PORT or "
					   "[ADDR6]:PORT, " PORT_LEGAL);
	if (address_is_any(address) || address_is_loopback(address) ||
	    address_is_nowhere(address) || is_off_the_road4(address))
		return value_refuse(value, "expected an address that routers reach");
	return 0;
}

int value_destination(const struct value *value, const struct limits *limits, void *out)
{
	(void)limits;
	if (destination_parse(value->text, out))
		return value_refuse(value, "expected a destination, HOST:PORT, ADDR:PORT or "
					   "[ADDR6]:PORT, " PORT_LEGAL);
	return 0;
}

int value_prefix(const struct value *value, const struct limits *limits, void *out)
{
	(void)limits;
	if (prefix_parse(value->text, out))
		return value_refuse(value, "expected ADDR or ADDR/BITS with no bit set beyond "
					   "BITS, as 192.168.1.0/24 or fd00::/8");
	return 0;
}

int value_interface(const struct value *value, const struct limits *limits, void *out)
{
	(void)limits;
	if (!ifname_is_legal(value->text))
		return value_refuse(value,
				    "expected the name of a network interface, " IFNAME_LEGAL);
	snprintf(out, IFNAMSIZ, "%s", value->text);
	return 0;
}

/* The digits at *text, which moves on; 0 for what is no port. */
static uint16_t take_port(const char **text)
{
	const size_t len = strspn(*text, "0123456789");
	const unsigned long port = len >= 1 && len <= 5 ? strtoul(*text, NULL, 10) : 0;

	*text += len;
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

int value_ports(const struct value *value, const struct limits *limits, void *out)
{
	struct port_range *range = out;
	const char *at = value->text;

	(void)limits;
	range->first = range->last = take_port(&at);
	if (*at == '-') {
		at++;
		range->last = take_port(&at);
	}
	if (*at || range->first == 0 || range->last < range->first)
		return value_refuse(value, "expected a port or a range of ports from 1 to 65535, "
					   "as 25 or 6000-6063");
	return 0;
}

/* Two hexadecimal digits for each byte, with colons between. */
int value_mac(const struct value *value, const struct limits *limits, void *out)
{
	struct mac *mac = out;
	bool is_mac = strlen(value->text) == 3 * MAC_BYTES - 1;

	(void)limits;
	for (size_t i = 0; is_mac && i < MAC_BYTES; i++) {
		const char *digits = value->text + 3 * i;

		is_mac = isxdigit((unsigned char)digits[0]) && isxdigit((unsigned char)digits[1]) &&
			 digits[2] == (i + 1 < MAC_BYTES ? ':' : '\0');
		mac->bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	if (!is_mac)
		return value_refuse(value, "expected the address of a network card, six bytes as "
					   "00:16:3e:0a:0b:0c");
	return 0;
}

int value_domain(const struct value *value, const struct limits *limits, void *out)
{
	size_t len = strlen(value->text);
	struct destination destination;
	struct domain *domain = out;

	(void)limits;
	if (len > 0 && value->text[len - 1] == '.')
		len--;
	if (value->text[0] == '.' || destination_from_host(&destination, value->text, len, 1) ||
	    destination.host[0] == '\0')
		return value_refuse(value, "expected a domain as example.org, which stands for all "
					   "names below it too");
	for (size_t i = 0; i <= len; i++)
		domain->name[i] = (char)tolower((unsigned char)destination.host[i]);
	return 0;
}
