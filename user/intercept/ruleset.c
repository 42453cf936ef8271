/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists the rules of nftables. A set may hold a country's addresses: which may be in it is counted
 * before it is read. */
#include "intercept/ruleset.h"

#include <json-c/json.h>
#include <linux/netfilter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "intercept/nft.h"

#define SETS_MAX     64
#define ELEMENTS_MAX 256
#define NAME_MAX_LEN 255 /* NFT_NAME_MAXLEN, less its end */

/* As nft writes it without quotes, so that it can be part of a command. */
static bool is_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/-_.";
	const size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_LEN && strspn(name, plain) == len;
}

static struct json_object *find_elements(struct json_object *listing)
{
	struct json_object *list = json_member(listing, "nftables");
	struct json_object *elements = NULL;

	for (size_t i = 0; i < json_length(list) && !elements; i++)
		elements =
			json_member(json_member(json_object_array_get_idx(list, i), "set"), "elem");
	return elements ? json_object_get(elements) : json_object_new_array();
}

/* Those families that see what comes to this host. */
static int family_of(const char *name)
{
	if (strcmp(name, "inet") == 0)
		return NFPROTO_INET;
	if (strcmp(name, "ip") == 0)
		return NFPROTO_IPV4;
	return strcmp(name, "ip6") == 0 ? NFPROTO_IPV6 : -1;
}

static void fill(struct nft *ruleset, struct json_object *set)
{
	const char *family = json_text(set, "family");
	const char *table = json_text(set, "table");
	const char *name = json_text(set, "name");
	char command[sizeof("list set inet  ") + 2UL * NAME_MAX_LEN];
	struct json_object *listing;
	const char *text;
	int count;

	if (family_of(family) < 0 || !is_plain(table) || !is_plain(name))
		return;
	count = nft_count_elements((uint8_t)family_of(family), table, name, ELEMENTS_MAX);
	if (count < 0 || count > ELEMENTS_MAX)
		return;
	snprintf(command, sizeof(command), "list set %s %s %s", family, table, name);
	if (nft_list(ruleset, command, false, &text))
		return;
	listing = json_tokener_parse(text);
	if (listing)
		json_object_object_add(set, "elem", find_elements(listing));
	json_object_put(listing);
}

struct json_object *intercept_list_rules(void)
{
	/* libnftables would complain on standard error. */
	struct nft *ruleset = nft_probe() ? NULL : nft_open();
	struct json_object *rules = NULL;
	struct json_object *list;
	const char *text;
	size_t sets = 0;

	if (ruleset && nft_list(ruleset, "list ruleset", true, &text) == 0)
		rules = json_tokener_parse(text);
	list = json_member(rules, "nftables");
	for (size_t i = 0; i < json_length(list) && sets < SETS_MAX; i++) {
		struct json_object *set = json_member(json_object_array_get_idx(list, i), "set");

		if (!set)
			continue;
		fill(ruleset, set);
		sets++;
	}
	nft_close(ruleset);
	return rules;
}
