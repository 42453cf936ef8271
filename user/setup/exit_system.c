/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of `hawser exit-setup` that are others' to carry out: firewall and service. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "config/options.h"
#include "intercept/nft.h"
#include "intercept/obstacle.h"
#include "setup/exit_setup_private.h"
#include "setup/system_file.h"
#include "setup/text_block.h"

#define NFT_FILE    "/etc/nftables.conf"
#define NFT_COMMENT "hawser exit-setup"
/* Base chains that drop one after the other. */
#define CHAINS_MAX 8

#define START_TRIES   50
#define START_EACH_MS 200

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

static bool firewall_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const unsigned int port = setup->line.destination.port;
	char place[NFT_WALK_PLACE_MAX];
	char status[8192];

	if (ufw_answers(status, sizeof(status))) {
		snprintf(text, SETUP_TEXT_MAX, "ufw allows %u/tcp", port);
		return ufw_allows(status, port);
	}
	if (firewalld_says("--state")) {
		judge_firewalld(setup, port, text);
		return true;
	}
	if (find_chain((uint16_t)port, place)) {
		snprintf(text, SETUP_TEXT_MAX,
			 "nft insert rule %s tcp dport %u accept, also in " NFT_FILE, place, port);
		return false;
	}
	snprintf(text, SETUP_TEXT_MAX, "no rule of this host keeps routers from port %u", port);
	return true;
}

/* So that it is in force after the next boot. A firewall that lies elsewhere is its owner's. */
static int keep_rules(const char *rules, char text[SETUP_TEXT_MAX])
{
	char *file = system_file_read(NFT_FILE);
	char *shall;
	int err = 0;

	if (*file) {
		shall = text_block_set(file, EXIT_SETUP_BLOCK, rules);
		err = shall ? system_file_write(NFT_FILE, shall, 0755) : -ENOMEM;
		free(shall);
	} else {
		snprintf(text, SETUP_TEXT_MAX,
			 "there is no " NFT_FILE ": put into your firewall's own file: %s", rules);
	}
	free(file);
	if (err)
		snprintf(text, SETUP_TEXT_MAX, NFT_FILE ": %s", strerror(-err));
	return err;
}

static int open_nftables(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const unsigned int port = setup->line.destination.port;
	char place[NFT_WALK_PLACE_MAX];
	char rules[CHAINS_MAX * 256] = "";
	struct nft *nft = nft_open();
	int err = nft ? 0 : -ENOMEM;

	for (int i = 0; !err && find_chain((uint16_t)port, place); i++) {
		const size_t len = strlen(rules);

		if (i == CHAINS_MAX) {
			snprintf(text, SETUP_TEXT_MAX, "chain %s still drops; see nft list ruleset",
				 place);
			err = -ELOOP;
			break;
		}
		snprintf(rules + len, sizeof(rules) - len,
			 "insert rule %s tcp dport %u accept comment \"" NFT_COMMENT "\"\n", place,
			 port);
		err = nft_run(nft, rules + len);
		if (err)
			snprintf(text, SETUP_TEXT_MAX, "nft: %s", nft_error(nft));
	}
	nft_close(nft);
	if (!err)
		err = record_set(&setup->record, "firewall", "nftables");
	return err ? err : keep_rules(rules, text);
}

static int firewall_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char port[16];
	const char *const words[] = {"ufw", "allow", port, NULL};
	char out[8192];
	int err;

	if (!ufw_answers(out, sizeof(out)))
		return open_nftables(setup, text);
	snprintf(port, sizeof(port), "%u/tcp", setup->line.destination.port);
	err = record_set(&setup->record, "firewall", port);
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

static int firewall_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char how[RECORD_VALUE_MAX];
	const char *const words[] = {"ufw", "delete", "allow", how, NULL};
	char out[256];
	char *file;
	char *rest;
	int err = 0;

	if (!record_get(&setup->record, "firewall", how))
		return 0;
	snprintf(text, SETUP_TEXT_MAX, "the port is closed again");
	if (strcmp(how, "nftables") == 0) {
		close_nftables();
		file = system_file_read(NFT_FILE);
		rest = text_block_set(file, EXIT_SETUP_BLOCK, NULL);
		if (rest && strcmp(file, rest) != 0)
			err = system_file_write(NFT_FILE, rest, 0755);
		free(rest);
		free(file);
	} else if (system_run(words, out, sizeof(out)) != 0) {
		err = -EINVAL;
	}
	if (err)
		snprintf(text, SETUP_TEXT_MAX, "the firewall's rule cannot be removed");
	return err ? err : record_set(&setup->record, "firewall", NULL);
}

static int systemctl(const char *verb, const char *option)
{
	const char *const words[] = {"systemctl", verb, "--quiet", "hawserd.service", option, NULL};
	char out[256];

	return system_run(words, out, sizeof(out));
}

/* Negative: there is no service manager, or no such service (`make install` brings none). Else what
 * `systemctl is-enabled` says. */
static int service_enabled(void)
{
	return systemctl("cat", NULL) ? -ENOENT : systemctl("is-enabled", NULL);
}

bool setup_find_file(const char *control, char *out)
{
	struct connection connection = {.fd = -1};
	const bool answers = control_client_try(&connection, control) &&
			     !control_client_ask(&connection, "status", 0);
	struct json_object *says = answers ? json_member(connection.answer, "configuration") : NULL;
	const char *file =
		*json_text(says, "file") ? json_text(says, "file") : json_text(says, "awaits");

	snprintf(out, PATH_MAX, "%s", answers ? file : CONFIG_FILE_DEFAULT);
	control_client_close(&connection);
	return answers;
}

int setup_reload(const char *control, char text[SETUP_TEXT_MAX])
{
	struct connection connection = {.fd = -1};
	const char *said = NULL;
	int err = -ESRCH;

	if (control_client_try(&connection, control)) {
		said = control_client_ask(&connection, "reload", 0);
		err = said ? -EINVAL : 0;
		snprintf(text, SETUP_TEXT_MAX, "hawserd does not take its configuration: %s",
			 said ? said : "");
	}
	control_client_close(&connection);
	return err;
}

/* Whether hawserd answers, and listens on the port. */
static bool serves(const struct exit_setup *setup, bool *answers)
{
	struct connection connection = {.fd = -1};
	struct json_object *listeners;
	char address[32];
	bool found = false;

	snprintf(address, sizeof(address), "0.0.0.0:%u", setup->line.destination.port);
	*answers = control_client_try(&connection, setup->control) &&
		   !control_client_ask(&connection, "status", 0);
	listeners = *answers ? json_member(connection.answer, "listeners") : NULL;
	for (size_t i = 0; i < json_length(listeners); i++)
		found = found ||
			strcmp(json_text(json_object_array_get_idx(listeners, i), "address"),
			       address) == 0;
	control_client_close(&connection);
	return found;
}

static bool service_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const int enabled = service_enabled();
	bool answers;
	const bool done = serves(setup, &answers) && !setup->reload_due && enabled <= 0;

	snprintf(text, SETUP_TEXT_MAX, "hawserd serves port %u%s", setup->line.destination.port,
		 enabled == -ENOENT ? "" : ", also after the next boot");
	return done;
}

/* What is running takes the configuration; else the service is started. */
static int service_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const struct timespec pause = {.tv_nsec = START_EACH_MS * 1000000L};
	const int enabled = service_enabled();
	bool answers;
	int err = 0;

	(void)serves(setup, &answers);
	if (enabled < 0 && !answers) {
		snprintf(text, SETUP_TEXT_MAX,
			 "there is no service hawserd; start hawserd by hand and run this again");
		return enabled;
	}
	if (enabled > 0 || !answers) {
		err = record_set(&setup->record, "service", answers ? "enabled" : "started");
		if (!err && systemctl("enable", answers ? NULL : "--now") != 0) {
			snprintf(text, SETUP_TEXT_MAX,
				 "systemctl enable --now hawserd: fails; see: journalctl -u "
				 "hawserd");
			(void)record_set(&setup->record, "service", NULL);
			return -EINVAL;
		}
	}
	if (!err && answers)
		err = setup_reload(setup->control, text);
	for (int i = 0; !err && i < START_TRIES && !serves(setup, &answers); i++)
		nanosleep(&pause, NULL);
	if (!err && !serves(setup, &answers)) {
		snprintf(text, SETUP_TEXT_MAX,
			 "hawserd does not listen on port %u; see: journalctl -u hawserd",
			 setup->line.destination.port);
		err = -ETIMEDOUT;
	}
	setup->reload_due = err != 0;
	return err;
}

static int service_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char how[RECORD_VALUE_MAX];
	bool started;

	if (!record_get(&setup->record, "service", how))
		return 0;
	started = strcmp(how, "started") == 0;
	if (systemctl("disable", started ? "--now" : NULL) != 0) {
		snprintf(text, SETUP_TEXT_MAX, "systemctl disable hawserd: fails");
		return -EINVAL;
	}
	snprintf(text, SETUP_TEXT_MAX,
		 started ? "hawserd is stopped and disabled" : "hawserd is disabled");
	return record_set(&setup->record, "service", NULL);
}

const struct setup_step setup_system_steps[] = {
	{"firewall", firewall_is_done, firewall_make, firewall_undo},
	{"service", service_is_done, service_make, service_undo},
	{NULL, NULL, NULL, NULL},
};
