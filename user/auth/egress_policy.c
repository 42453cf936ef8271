/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses a client may be connected to. */
#include "auth/egress_policy.h"

#include <errno.h>
#include <string.h>

#include "net/way.h"
#include "proto/token.h"

struct range {
	uint8_t base[16];
	uint8_t bits;
};

/* IANA's registries of special-purpose addresses (RFC 6890), without those for documentation. */
static const struct range special4[] = {
	{{0}, 8},		  /* this network */
	{{10}, 8},		  /* private (RFC 1918) */
	{{100, 64}, 10},	  /* shared, of carriers (RFC 6598); metadata of Alibaba Cloud */
	{{127}, 8},		  /* loopback */
	{{168, 63, 129, 16}, 32}, /* services of Azure */
	{{169, 254}, 16},	  /* link-local (RFC 3927); metadata of most clouds */
	{{172, 16}, 12},	  /* private */
	{{192, 0, 0}, 24},	  /* protocol assignments (RFC 6890); metadata of Oracle Cloud */
	{{192, 168}, 16},	  /* private */
	{{198, 18}, 15},	  /* benchmarks (RFC 2544) */
	{{224}, 3},		  /* multicast, reserved, broadcast */
};
static const struct range special6[] = {
	{{0}, 96},			      /* unspecified, loopback, IPv4-compatible */
	{{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48}, /* NAT64 within a network (RFC 8215) */
	{{0x01, 0x00}, 64},		      /* discard (RFC 6666) */
	{{0xfc}, 7},	    /* unique local (RFC 4193); metadata of AWS and Google */
	{{0xfe, 0x80}, 10}, /* link-local */
	{{0xfe, 0xc0}, 10}, /* site-local, once (RFC 3879) */
	{{0xff}, 8},	    /* multicast */
};
/* An IPv4 address stands in these, from that byte on. */
static const struct {
	struct range range;
	uint8_t at;
} wraps4[] = {
	{{{0}, 96}, 12},			    /* IPv4-compatible (RFC 4291) */
	{{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},	    /* NAT64 (RFC 6052) */
	{{{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48}, 12}, /* the same within a network, as a /96 */
	{{{0x20, 0x02}, 16}, 2},		    /* 6to4 (RFC 3056) */
};

static bool range_contains(const struct range *range, const uint8_t *ip)
{
	const size_t whole = range->bits / 8;
	const unsigned int rest = range->bits % 8;

	return memcmp(range->base, ip, whole) == 0 &&
	       (rest == 0 || (range->base[whole] ^ ip[whole]) >> (8 - rest) == 0);
}

static bool is_special4(const uint8_t *ip)
{
	for (size_t i = 0; i < sizeof(special4) / sizeof(*special4); i++)
		if (range_contains(&special4[i], ip))
			return true;
	return false;
}

/* The IPv4 address in an IPv6 one; NULL if there is none. */
static const uint8_t *find_wrapped(const uint8_t *ip)
{
	for (size_t i = 0; i < sizeof(wraps4) / sizeof(*wraps4); i++)
		if (range_contains(&wraps4[i].range, ip))
			return ip + wraps4[i].at;
	return NULL;
}

static bool is_special6(const uint8_t *ip)
{
	const uint8_t *wrapped = find_wrapped(ip);

	for (size_t i = 0; i < sizeof(special6) / sizeof(*special6); i++)
		if (range_contains(&special6[i], ip))
			return true;
	return wrapped && is_special4(wrapped);
}

bool egress_is_special(const union address *address)
{
	const uint8_t *v6 = address->in6.sin6_addr.s6_addr;

	if (address->sa.sa_family == AF_INET)
		return is_special4((const uint8_t *)&address->in4.sin_addr);
	if (address->sa.sa_family != AF_INET6)
		return true;
	return IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr) ? is_special4(v6 + 12)
							     : is_special6(v6);
}

static bool is_among(const struct prefix *prefixes, size_t count, const union address *address)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_contains(&prefixes[i], address))
			return true;
	return false;
}

/* As route_is_own(), also of the IPv4 address in an IPv6 one: the translator may be here. */
static int leads_here(struct netlink *routes, const union address *to)
{
	const uint8_t *wrapped = NULL;
	union address inner;
	int own = route_is_own(routes, to);

	if (own == 0 && to->sa.sa_family == AF_INET6)
		wrapped = find_wrapped(to->in6.sin6_addr.s6_addr);
	if (!wrapped)
		return own;
	address_from_bytes(&inner, AF_INET, wrapped, address_port(to));
	return route_is_own(routes, &inner);
}

/* Its own address says so: nobody else is answered there. */
static int is_here(struct netlink *routes, const union address *client)
{
	return !address_is_any(client) ? route_is_own(routes, client) : 0;
}

int egress_check(const struct egress_policy *policy, struct netlink *routes,
		 const union address *client, const union address *to)
{
	const struct token *token = policy->token;
	int own;

	if (token && token->to_count > 0 && !is_among(token->to, token->to_count, to))
		return -EACCES;
	if (policy->kind == EGRESS_ANYWHERE || is_among(policy->allow, policy->allow_count, to))
		return 0;
	if (policy->kind == EGRESS_NOT_SPECIAL && egress_is_special(to))
		return -EACCES;
	if (policy->kind != EGRESS_NOT_SPECIAL && address_is_loopback(client))
		return 0;
	if (policy->kind == EGRESS_NOT_LOOPBACK)
		own = address_is_loopback(to) || address_is_any(to);
	else
		own = leads_here(routes, to);
	if (own > 0 && policy->kind != EGRESS_NOT_SPECIAL && is_here(routes, client) > 0)
		return 0;
	return own > 0 ? -EACCES : own;
}
