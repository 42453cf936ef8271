/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a packet is one that a match of an nftables rule means. */
#include "intercept/nft_match.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static enum match match_of(bool same)
{
	return same ? MATCH_YES : MATCH_NO;
}

/* An element with a time-out, counter or comment. */
static struct json_object *bare(struct json_object *value)
{
	struct json_object *inner = json_member(json_member(value, "elem"), "val");

	return inner ? inner : value;
}

static enum match match_number(uint64_t number, struct json_object *value)
{
	struct json_object *range = json_member(value, "range");

	if (json_object_is_type(value, json_type_int))
		return match_of(number == json_object_get_uint64(value));
	if (json_length(range) == 2)
		return match_of(
			number >= json_object_get_uint64(json_object_array_get_idx(range, 0)) &&
			number <= json_object_get_uint64(json_object_array_get_idx(range, 1)));
	return MATCH_MAYBE;
}

/* The last character may be an asterisk. */
static enum match match_word(const char *word, struct json_object *value)
{
	const char *text;
	size_t len;

	if (!*word || !json_object_is_type(value, json_type_string))
		return MATCH_MAYBE;
	text = json_object_get_string(value);
	len = strlen(text);
	if (len > 0 && text[len - 1] == '*')
		return match_of(strncmp(word, text, len - 1) == 0);
	return match_of(strcmp(word, text) == 0);
}

static enum match match_address(const union address *address, struct json_object *value)
{
	struct json_object *net = json_member(value, "prefix");
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];

	if (net)
		snprintf(text, sizeof(text), "%s/%s", json_text(net, "addr"),
			 json_text(net, "len"));
	else if (json_object_is_type(value, json_type_string))
		snprintf(text, sizeof(text), "%s", json_object_get_string(value));
	else
		return MATCH_MAYBE;
	if (address_is_any(address) || prefix_parse(text, &prefix))
		return MATCH_MAYBE;
	return match_of(prefix_contains(&prefix, address));
}

/* Of ports of UDP and the like, a packet of TCP has neither these nor others. */
static bool is_of_another_protocol(const struct nft_packet *packet, struct json_object *payload)
{
	static const char *const may_have[] = {"", "tcp", "th", "ether", "vlan"};
	const char *protocol = json_text(payload, "protocol");

	for (size_t i = 0; i < sizeof(may_have) / sizeof(may_have[0]); i++)
		if (strcmp(protocol, may_have[i]) == 0)
			return false;
	return strcmp(protocol, packet->to.sa.sa_family == AF_INET6 ? "ip6" : "ip") != 0;
}

static enum match match_payload(const struct nft_packet *packet, struct json_object *payload,
				struct json_object *value)
{
	const char *protocol = json_text(payload, "protocol");
	const char *field = json_text(payload, "field");
	const bool is_v6 = packet->to.sa.sa_family == AF_INET6;

	if (strcmp(protocol, "tcp") == 0 || strcmp(protocol, "th") == 0)
		return strcmp(field, "dport") == 0 ? match_number(address_port(&packet->to), value)
						   : MATCH_MAYBE;
	if (strcmp(protocol, is_v6 ? "ip6" : "ip") == 0) {
		if (strcmp(field, "daddr") == 0)
			return match_address(&packet->to, value);
		return strcmp(field, is_v6 ? "nexthdr" : "protocol") == 0
			       ? match_number(IPPROTO_TCP, value)
			       : MATCH_MAYBE;
	}
	return MATCH_MAYBE;
}

static enum match match_meta(const struct nft_packet *packet, const char *key,
			     struct json_object *value)
{
	if (strcmp(key, "l4proto") == 0)
		return match_number(IPPROTO_TCP, value);
	if (strcmp(key, "nfproto") == 0)
		return match_number(
			packet->to.sa.sa_family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4, value);
	if (strcmp(key, packet->in ? "iifname" : "oifname") == 0 ||
	    strcmp(key, packet->in ? "iif" : "oif") == 0)
		return match_word(packet->device, value);
	/* Others may have set other bits. */
	if (strcmp(key, "mark") == 0 && json_object_is_type(value, json_type_int))
		return (json_object_get_uint64(value) & packet->mark) == packet->mark ? MATCH_MAYBE
										      : MATCH_NO;
	return MATCH_MAYBE;
}

/* "meta mark and MASK": certain where the mask has the known bit alone. */
static enum match match_masked(const struct nft_packet *packet, struct json_object *pair,
			       struct json_object *value)
{
	struct json_object *meta = json_member(json_object_array_get_idx(pair, 0), "meta");
	const uint64_t mask = json_object_get_uint64(json_object_array_get_idx(pair, 1));

	if (!packet->mark || strcmp(json_text(meta, "key"), "mark") != 0 || mask != packet->mark ||
	    !json_object_is_type(value, json_type_int))
		return MATCH_MAYBE;
	return match_of(json_object_get_uint64(value) == mask);
}

enum match nft_match_value(const struct nft_packet *packet, struct json_object *key,
			   struct json_object *value)
{
	struct json_object *payload = json_member(key, "payload");
	struct json_object *meta = json_member(key, "meta");
	struct json_object *masked = json_member(key, "&");

	value = bare(value);
	if (payload)
		return match_payload(packet, payload, value);
	if (meta)
		return match_meta(packet, json_text(meta, "key"), value);
	if (json_length(masked) == 2)
		return match_masked(packet, masked, value);
	if (strcmp(json_text(json_member(key, "ct"), "key"), "state") == 0)
		return match_number(NF_CT_STATE_BIT(IP_CT_NEW), value);
	return MATCH_MAYBE;
}

/* Its elements; NULL if they are not known. */
static struct json_object *find_set(struct json_object *list, struct json_object *chain,
				    const char *name)
{
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *object = json_object_array_get_idx(list, i);
		struct json_object *set = json_member(object, "set");

		if (set && json_same(set, chain, "family") && json_same(set, chain, "table") &&
		    strcmp(json_text(set, "name"), name) == 0)
			return json_member(set, "elem");
	}
	return NULL;
}

static struct json_object *values_of(struct json_object *list, struct json_object *chain,
				     struct json_object *right)
{
	const char *text =
		json_object_is_type(right, json_type_string) ? json_object_get_string(right) : "";
	struct json_object *set = json_member(right, "set");

	if (*text == '@')
		return find_set(list, chain, text + 1);
	if (set)
		return set;
	return right;
}

static enum match match_any(const struct nft_packet *packet, struct json_object *key,
			    struct json_object *values)
{
	enum match best = MATCH_NO;

	if (!values)
		return MATCH_MAYBE;
	if (!json_object_is_type(values, json_type_array))
		return nft_match_value(packet, key, values);
	for (size_t i = 0; i < json_length(values); i++) {
		const enum match match =
			nft_match_value(packet, key, json_object_array_get_idx(values, i));

		best = match > best ? match : best;
	}
	return best;
}

enum match nft_match(const struct nft_packet *packet, struct json_object *list,
		     struct json_object *chain, struct json_object *match)
{
	const char *op = json_text(match, "op");
	struct json_object *left = json_member(match, "left");
	struct json_object *payload = json_member(left, "payload");
	const bool is_equal = strcmp(op, "==") == 0 || strcmp(op, "in") == 0;
	enum match found;

	if (payload && is_of_another_protocol(packet, payload))
		return MATCH_NO;
	if (!is_equal && strcmp(op, "!=") != 0)
		return MATCH_MAYBE;
	found = match_any(packet, left, values_of(list, chain, json_member(match, "right")));
	return is_equal ? found : MATCH_YES - found;
}
