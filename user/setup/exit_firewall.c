/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step of `hawser exit-setup` that lets routers through this host's firewall: ufw's or
 * nftables'; firewalld and iptables-legacy are told by hand. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "intercept/nft.h"
#include "intercept/obstacle.h"
#include "intercept/ruleset.h"
#include "setup/exit_setup_private.h"
#include "setup/firewall_file.h"
#include "setup/legacy_firewall.h"
#include "setup/system_file.h"

#define NFT_COMMENT "hawser exit-setup"
/* Base chains that drop one after the other. */
#define CHAINS_MAX 8
#define RULE_MAX   (NFT_WALK_PLACE_MAX + 128)

static bool ufw_answers(char *out, size_t size)
{
	static const char *const words[] = {"ufw", "status", NULL};

	return system_run(words, out, size) == 0 && strstr(out, "Status: active");
}

static bool ufw_allows(const char *status, unsigned int port)
{
	char row[16];
	const char *at;

	snprintf(row, sizeof(row), "\n%u/tcp ", port);
	at = strstr(status, row);
	return at && strstr(at, "ALLOW") && strstr(at, "ALLOW") < at + 1 + strcspn(at + 1, "\n");
}

/* False also where there is none. */
static bool firewalld_says(const char *option)
{
	const char *const words[] = {"firewall-cmd", "--quiet", option, NULL};
	char out[8];

	return system_run(words, out, sizeof(out)) == 0;
}

/* Which zone routers come by is not for us to guess. */
static void judge_firewalld(struct exit_setup *setup, unsigned int port, char text[SETUP_TEXT_MAX])
{
	char query[32];

	snprintf(query, sizeof(query), "--query-port=%u/tcp", port);
	if (firewalld_says(query)) {
		snprintf(text, SETUP_TEXT_MAX, "firewalld allows %u/tcp", port);
		return;
	}
	snprintf(setup->by_hand, sizeof(setup->by_hand),
		 "firewall-cmd --permanent --add-port=%u/tcp && firewall-cmd --reload", port);
	snprintf(text, SETUP_TEXT_MAX, "firewalld keeps routers from port %u: %s", port,
		 setup->by_hand);
}

/* Which base chain drops what comes to the port, by any interface by which routers may come. */
static bool find_chain(uint16_t port, char place[NFT_WALK_PLACE_MAX])
{
	struct json_object *rules = nft_probe() ? NULL : intercept_list_rules();
	struct nft_packet packets[IP_FAMILIES] = {
		{.in = true, .to = {.in4 = {.sin_family = AF_INET}}},
		{.in = true, .to = {.in6 = {.sin6_family = AF_INET6}}},
	};
	bool found = false;

	for (enum ip_family family = 0; rules && family < IP_FAMILIES && !found; family++) {
		address_set_port(&packets[family].to, port);
		found = intercept_drops_strangers(rules, packets[family], true, place);
	}
	json_object_put(rules);
	return found;
}

static void rule_of(const char *place, uint16_t port, char rule[RULE_MAX])
{
	snprintf(rule, RULE_MAX, "insert rule %s tcp dport %u accept comment \"" NFT_COMMENT "\"\n",
		 place, port);
}

static bool firewall_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const uint16_t port = setup->line.place.destination.port;
	char place[NFT_WALK_PLACE_MAX];
	char status[8192];
	bool is_legacy_closed;

	if (ufw_answers(status, sizeof(status))) {
		snprintf(text, SETUP_TEXT_MAX, "ufw allows %u/tcp", port);
		return ufw_allows(status, port);
	}
	if (firewalld_says("--state")) {
		judge_firewalld(setup, port, text);
		return true;
	}
	is_legacy_closed = legacy_firewall_closes(port, setup->by_hand, sizeof(setup->by_hand));
	if (find_chain(port, place)) {
		snprintf(text, SETUP_TEXT_MAX,
			 "nft insert rule %s tcp dport %u accept, also in " FIREWALL_FILE
			 " if that makes the chain%s%s",
			 place, port, is_legacy_closed ? "; and by hand: " : "", setup->by_hand);
		return false;
	}
	if (is_legacy_closed)
		snprintf(text, SETUP_TEXT_MAX,
			 "iptables-legacy may keep routers from port %u: %s; and where its rules "
			 "come from at boot",
			 port, setup->by_hand);
	else
		snprintf(text, SETUP_TEXT_MAX, "no rule of this host keeps routers from port %u",
			 port);
	return true;
}

/* Chain after chain, in the file first: one that is open already is not looked at again. */
static int open_nftables(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const uint16_t port = setup->line.place.destination.port;
	char place[NFT_WALK_PLACE_MAX];
	char rule[RULE_MAX];
	struct nft *nft = nft_open();
	int err = nft ? record_set_first(&setup->record, "nftables", "opened") : -ENOMEM;

	for (int i = 0; !err && find_chain(port, place); i++) {
		if (i == CHAINS_MAX) {
			snprintf(text, SETUP_TEXT_MAX, "chain %s still drops; see nft list ruleset",
				 place);
			err = -ELOOP;
			break;
		}
		rule_of(place, port, rule);
		err = firewall_file_keep(nft, place, rule, text);
		if (!err && nft_run(nft, rule)) {
			snprintf(text, SETUP_TEXT_MAX, "nft: %s", nft_error(nft));
			err = -EINVAL;
		}
	}
	nft_close(nft);
	return err;
}

static int firewall_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char port[16];
	const char *const words[] = {"ufw", "allow", port, NULL};
	char out[8192];
	int err;

	if (!ufw_answers(out, sizeof(out)))
		return open_nftables(setup, text);
	snprintf(port, sizeof(port), "%u/tcp", setup->line.place.destination.port);
	err = record_set_first(&setup->record, "ufw", port);
	if (!err && system_run(words, out, sizeof(out)) != 0) {
		snprintf(text, SETUP_TEXT_MAX, "'ufw allow %s' fails", port);
		err = -EINVAL;
	}
	return err;
}

/* Rules of ours are found by their comment. */
static void close_nftables(void)
{
	struct json_object *rules = nft_probe() ? NULL : intercept_list_rules();
	struct json_object *list = json_member(rules, "nftables");
	struct nft *nft = nft_open();

	for (size_t i = 0; nft && i < json_length(list); i++) {
		struct json_object *rule = json_member(json_object_array_get_idx(list, i), "rule");
		char command[256];

		if (strcmp(json_text(rule, "comment"), NFT_COMMENT) != 0)
			continue;
		snprintf(command, sizeof(command), "delete rule %s %s %s handle %" PRIu64,
			 json_text(rule, "family"), json_text(rule, "table"),
			 json_text(rule, "chain"), json_count(rule, "handle"));
		(void)nft_run(nft, command);
	}
	nft_close(nft);
	json_object_put(rules);
}

static int undo_nftables(struct record *record)
{
	char known[RECORD_VALUE_MAX];
	int err;

	if (!record_get(record, "nftables", known))
		return 0;
	close_nftables();
	err = firewall_file_clear();
	return err ? err : record_set(record, "nftables", NULL);
}

/* A ufw that is not there any more has no rules. */
static int undo_ufw(struct record *record)
{
	char port[RECORD_VALUE_MAX];
	const char *const words[] = {"ufw", "delete", "allow", port, NULL};
	char out[256];
	int err;

	if (!record_get(record, "ufw", port))
		return 0;
	err = system_run(words, out, sizeof(out));
	return err && err != -ENOENT ? -EINVAL : record_set(record, "ufw", NULL);
}

static int firewall_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char known[RECORD_VALUE_MAX];
	int err;
	int err_ufw;

	if (!record_get(&setup->record, "nftables", known) &&
	    !record_get(&setup->record, "ufw", known))
		return 0;
	snprintf(text, SETUP_TEXT_MAX, "the port is closed again");
	err = undo_nftables(&setup->record);
	err_ufw = undo_ufw(&setup->record);
	err = err ? err : err_ufw;
	if (err)
		snprintf(text, SETUP_TEXT_MAX, "the firewall's rule cannot be removed: %s",
			 strerror(-err));
	return err;
}

const struct setup_step setup_firewall_step = {"firewall", firewall_is_done, firewall_make,
					       firewall_undo};
