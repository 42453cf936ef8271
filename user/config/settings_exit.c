/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exits of this router: judged and stored. */
#include <string.h>

#include "config/settings_private.h"
#include "proto/exit_line.h"

/* A router has one token for an exit. */
static int read_token(struct exit_config *exit, const struct value *file)
{
	int err = token_file_read(file->text, &exit->tokens);

	if (!err && exit->tokens.count != 1)
		err = value_refuse(file, "%zu tokens in it; expected the one that this exit takes",
				   exit->tokens.count);
	return err;
}

int settings_add_exit(struct draft *draft)
{
	struct config *config = draft->config;
	const struct item *item = &draft->item;
	const struct value *name = &item->name;
	struct exit_config *exit;

	if (!exit_is_name(name->text))
		return value_refuse(name, "expected the name of an exit, " EXIT_NAME_EXPECTED);
	for (size_t i = 0; i < config->exit_count; i++)
		if (strcmp(config->exits[i].name, name->text) == 0)
			return value_refuse(name,
					    "a second exit of this name; expected every name once");
	if (config->exit_count == EXITS_MAX)
		return value_refuse(name, "one exit too many; expected at most %d", EXITS_MAX);
	exit = settings_grow(name, &config->exits, &config->exit_count, sizeof(*exit));
	if (!exit)
		return -ENOMEM;
	*exit = item->exit;
	if (item->port > 0) {
		exit->place.destination.port = (uint16_t)item->port;
		address_set_port(&exit->place.destination.address, (uint16_t)item->port);
		if (exit->place.also.sa.sa_family != AF_UNSPEC)
			address_set_port(&exit->place.also, (uint16_t)item->port);
	}
	exit->name = strdup(name->text);
	if (!exit->name)
		return value_refuse_no_memory(name);
	return item->secret_file.name ? read_token(exit, &item->secret_file) : 0;
}

int settings_exit_place(const struct value *value, const struct limits *limits, void *out)
{
	(void)limits;
	if (exit_place_from_host(out, value->text, strlen(value->text), EXIT_PORT_DEFAULT))
		return value_refuse(value, "expected " EXIT_PLACE_EXPECTED);
	return 0;
}

int settings_exit_by_option(const struct value *value, const struct limits *limits, void *out)
{
	struct draft *draft = out;
	int err;

	settings_begin_item(draft, value);
	err = value_destination(value, limits, &draft->item.exit.place.destination);
	return err ? err : settings_add_exit(draft);
}

int settings_finish_exits(struct draft *draft)
{
	struct config *config = draft->config;
	bool used = false;

	if (config->announce_count > ANNOUNCE_MAX) {
		log_error("announce: %zu addresses; expected at most %d", config->announce_count,
			  ANNOUNCE_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < config->exit_count; i++) {
		struct exit_config *exit = &config->exits[i];
		int err;

		if (exit->tokens.count > 0)
			continue;
		if (!draft->exit_token.name) {
			log_error("--exit %s: no token for it; expected --exit-token FILE as well",
				  exit->name);
			return -EINVAL;
		}
		err = read_token(exit, &draft->exit_token);
		if (err)
			return err;
		used = true;
	}
	if (draft->exit_token.name && !used)
		return value_refuse(&draft->exit_token,
				    "no exit wants it; expected --exit HOST:PORT as well");
	return 0;
}
