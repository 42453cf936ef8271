/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the nftables rules of this host do to packets, as far as it is certain. */
#include "intercept/nft_walk.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "intercept/nft_match.h"

#define DEPTH_MAX 16 /* NFT_JUMP_STACK_SIZE of the kernel */

/* What may become of a packet; a set of these. */
enum fate {
	FATE_PASS = 1,
	FATE_DROP = 2,
	FATE_NEXT = 4,	 /* to the next rule */
	FATE_RETURN = 8, /* to behind the jump */
	FATE_ANY = FATE_PASS | FATE_DROP | FATE_NEXT,
};

struct look {
	struct json_object *list;
	const struct nft_packet *packet;
	struct json_object *chain; /* whose rules are looked at; family and table count */
	unsigned depth;
};

static unsigned walk_chain(const struct look *from, const char *name);

/* FATE_NEXT alone when the statement is no verdict. */
static unsigned fate_of_verdict(const struct look *look, struct json_object *statement)
{
	struct json_object *jump = json_member(statement, "jump");
	struct json_object *go = json_member(statement, "goto");
	unsigned fate;

	if (json_object_object_get_ex(statement, "accept", NULL))
		return FATE_PASS;
	if (json_object_object_get_ex(statement, "drop", NULL) ||
	    json_object_object_get_ex(statement, "reject", NULL))
		return FATE_DROP;
	if (json_object_object_get_ex(statement, "return", NULL))
		return FATE_RETURN;
	if (jump)
		return walk_chain(look, json_text(jump, "target"));
	if (!go)
		return FATE_NEXT;
	fate = walk_chain(look, json_text(go, "target"));
	return fate & FATE_NEXT ? (fate & ~FATE_NEXT) | FATE_RETURN : fate;
}

static unsigned fate_of_map(const struct look *look, struct json_object *map)
{
	struct json_object *pairs = json_member(json_member(map, "data"), "set");
	unsigned fate = 0;

	if (!pairs)
		return FATE_ANY;
	for (size_t i = 0; i < json_length(pairs); i++) {
		struct json_object *pair = json_object_array_get_idx(pairs, i);
		struct json_object *value = json_object_array_get_idx(pair, 0);
		const enum match match =
			nft_match_value(look->packet, json_member(map, "key"), value);

		if (match == MATCH_NO)
			continue;
		fate |= fate_of_verdict(look, json_object_array_get_idx(pair, 1));
		if (match == MATCH_YES)
			return fate;
	}
	return fate | FATE_NEXT;
}

static bool is_harmless(struct json_object *statement)
{
	return json_object_object_get_ex(statement, "counter", NULL) ||
	       json_object_object_get_ex(statement, "log", NULL) ||
	       json_object_object_get_ex(statement, "mangle", NULL);
}

/* What holds for some packets only: the rule goes on, or the next one comes. */
static bool is_condition(struct json_object *statement)
{
	return json_object_object_get_ex(statement, "limit", NULL) ||
	       json_object_object_get_ex(statement, "quota", NULL) ||
	       json_object_object_get_ex(statement, "ct count", NULL);
}

/* Statements run in their order until one does not match or decides. */
static unsigned walk_rule(const struct look *look, struct json_object *statements)
{
	unsigned fate = 0;

	for (size_t i = 0; i < json_length(statements); i++) {
		struct json_object *statement = json_object_array_get_idx(statements, i);
		struct json_object *match = json_member(statement, "match");
		struct json_object *map = json_member(statement, "vmap");
		unsigned its;

		if (match) {
			const enum match matches =
				nft_match(look->packet, look->list, look->chain, match);

			if (matches == MATCH_NO)
				return fate | FATE_NEXT;
			fate |= matches == MATCH_MAYBE ? FATE_NEXT : 0;
			continue;
		}
		if (is_harmless(statement))
			continue;
		if (is_condition(statement)) {
			fate |= FATE_NEXT;
			continue;
		}
		its = map ? fate_of_map(look, map) : fate_of_verdict(look, statement);
		if (!map && its == FATE_NEXT && !json_member(statement, "jump"))
			its = FATE_ANY; /* queues, those of iptables, ... */
		fate |= its & ~FATE_NEXT;
		if (!(its & FATE_NEXT))
			return fate;
	}
	return fate | FATE_NEXT;
}

static unsigned walk_chain(const struct look *from, const char *name)
{
	struct look look = *from;
	unsigned fate = 0;

	if (++look.depth > DEPTH_MAX)
		return FATE_ANY;
	for (size_t i = 0; i < json_length(look.list); i++) {
		struct json_object *object = json_object_array_get_idx(look.list, i);
		struct json_object *rule = json_member(object, "rule");
		unsigned its;

		if (!rule || !json_same(rule, look.chain, "family") ||
		    !json_same(rule, look.chain, "table") ||
		    strcmp(json_text(rule, "chain"), name) != 0)
			continue;
		its = walk_rule(&look, json_member(rule, "expr"));
		fate |= its & ~(unsigned)(FATE_NEXT | FATE_RETURN);
		if (its & FATE_RETURN)
			fate |= FATE_NEXT;
		if (!(its & FATE_NEXT))
			return fate;
	}
	return fate | FATE_NEXT;
}

static bool is_for(struct json_object *chain, const struct nft_packet *packet)
{
	const char *family = json_text(chain, "family");

	return strcmp(json_text(chain, "hook"), packet->in ? "input" : "output") == 0 &&
	       (strcmp(family, "inet") == 0 ||
		strcmp(family, packet->to.sa.sa_family == AF_INET6 ? "ip6" : "ip") == 0);
}

bool nft_walk_drops(struct json_object *rules, const struct nft_packet *packet,
		    char place[NFT_WALK_PLACE_MAX])
{
	struct json_object *list = json_member(rules, "nftables");

	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *chain =
			json_member(json_object_array_get_idx(list, i), "chain");
		const struct look look = {list, packet, chain, 0};
		unsigned fate;

		if (!chain || !is_for(chain, packet))
			continue;
		fate = walk_chain(&look, json_text(chain, "name"));
		if (fate & FATE_NEXT)
			fate |= strcmp(json_text(chain, "policy"), "drop") == 0 ? FATE_DROP
										: FATE_PASS;
		if (fate & FATE_PASS)
			continue;
		snprintf(place, NFT_WALK_PLACE_MAX, "%s %s %s", json_text(chain, "family"),
			 json_text(chain, "table"), json_text(chain, "name"));
		return true;
	}
	return false;
}

static bool is_mptcp(struct json_object *expression)
{
	struct json_object *option = json_member(expression, "tcp option");

	return strcmp(json_text(option, "name"), "mptcp") == 0;
}

static bool rule_spoils_mptcp(struct json_object *statements)
{
	bool matches = false;

	for (size_t i = 0; i < json_length(statements); i++) {
		struct json_object *statement = json_object_array_get_idx(statements, i);

		if (is_mptcp(json_member(statement, "reset")))
			return true;
		matches = matches || is_mptcp(json_member(json_member(statement, "match"), "left"));
		if (matches && (json_object_object_get_ex(statement, "drop", NULL) ||
				json_object_object_get_ex(statement, "reject", NULL)))
			return true;
	}
	return false;
}

static bool only_sees_routed(struct json_object *list, struct json_object *rule)
{
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *chain =
			json_member(json_object_array_get_idx(list, i), "chain");

		if (chain && json_same(chain, rule, "family") && json_same(chain, rule, "table") &&
		    strcmp(json_text(chain, "name"), json_text(rule, "chain")) == 0)
			return strcmp(json_text(chain, "hook"), "forward") == 0;
	}
	return false;
}

bool nft_walk_spoils_mptcp(struct json_object *rules, char place[NFT_WALK_PLACE_MAX])
{
	struct json_object *list = json_member(rules, "nftables");

	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *rule = json_member(json_object_array_get_idx(list, i), "rule");

		if (!rule || !rule_spoils_mptcp(json_member(rule, "expr")) ||
		    only_sees_routed(list, rule))
			continue;
		snprintf(place, NFT_WALK_PLACE_MAX, "%s %s %s handle %s", json_text(rule, "family"),
			 json_text(rule, "table"), json_text(rule, "chain"),
			 json_text(rule, "handle"));
		return true;
	}
	return false;
}
