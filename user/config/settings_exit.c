/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of exits, on either side: judged and stored. */
#include <stdlib.h>
#include <string.h>

#include "auth/gate.h"
#include "base/log.h"
#include "config/settings.h"

#define NAME_LEGAL "1 to 255 of A-Z a-z 0-9 . _ : [ ] -"

static bool is_exit_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._:[]-";
	const size_t len = strlen(name);

	return len >= 1 && len <= HOP_EXIT_NAME_MAX && strspn(name, allowed) == len;
}

static int add_tokens(struct config *config, struct listen_config *listen, const struct value *file,
		      const struct value *exit_name)
{
	struct gate **grown;
	struct gate *gate;
	int err;

	if (exit_name && !is_exit_name(exit_name->text))
		return value_refuse(exit_name, "not the name of an exit; legal: " NAME_LEGAL);
	grown = reallocarray(config->gates, config->gate_count + 1, sizeof(struct gate *));
	if (!grown)
		return value_refuse_no_memory(file);
	config->gates = grown;
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return value_refuse_no_memory(file);
	grown[config->gate_count++] = gate;
	err = token_file_read(file->text, &gate->tokens);
	if (err)
		return err;
	/* So it is when the last one was taken away. */
	if (gate->tokens.count == 0)
		log_warning("%s: no token in it, so nobody gets in; 'hawser token new NAME' prints "
			    "one",
			    file->text);
	if (exit_name) {
		gate->exit_name = strdup(exit_name->text);
		if (!gate->exit_name)
			return value_refuse_no_memory(file);
	}
	listen->gate = gate;
	return 0;
}

int settings_set_tokens(struct draft *draft, const struct value *file,
			const struct value *exit_name)
{
	struct config *config = draft->config;

	return add_tokens(config, &config->listen[config->listen_count - 1], file, exit_name);
}

int settings_serve_exit(struct draft *draft, const struct value *address, const struct value *none)
{
	struct config *config = draft->config;
	int err = settings_add_listener(draft, address, NULL);

	(void)none;
	if (!err)
		config->listen[config->listen_count - 1].serves_exit = true;
	return err;
}

static int set_number(uint32_t *out, const struct value *value, unsigned long min,
		      unsigned long max)
{
	unsigned long number;

	if (!value)
		return 0;
	number = strtoul(value->text, NULL, 10);
	if (!*value->text || strlen(value->text) > 9 ||
	    value->text[strspn(value->text, "0123456789")] || number < min || number > max)
		return value_refuse(value, "not such a number; legal: %lu to %lu", min, max);
	*out = (uint32_t)number;
	return 0;
}

/* A router has one token for an exit. */
static int read_token(struct exit_config *exit, const struct value *file)
{
	int err = token_file_read(file->text, &exit->tokens);

	if (err)
		return err;
	if (exit->tokens.count != 1)
		return value_refuse(file, "%zu tokens in it; legal: the one that this exit takes",
				    exit->tokens.count);
	return 0;
}

static int add_exit(struct config *config, const struct value *name,
		    const struct destination *destination)
{
	struct exit_config exit = {.destination = *destination, .priority = 1, .weight = 1};
	struct exit_config *grown;

	if (!is_exit_name(name->text))
		return value_refuse(name, "\"%s\" cannot be an exit's name; legal: " NAME_LEGAL,
				    name->text);
	for (size_t i = 0; i < config->exit_count; i++)
		if (strcmp(config->exits[i].name, name->text) == 0)
			return value_refuse(name, "a second exit \"%s\"; legal: every name once",
					    name->text);
	if (config->exit_count == EXITS_MAX)
		return value_refuse(name, "one exit too many; legal: %d", EXITS_MAX);
	grown = reallocarray(config->exits, config->exit_count + 1, sizeof(*grown));
	if (!grown)
		return value_refuse_no_memory(name);
	config->exits = grown;
	exit.name = strdup(name->text);
	if (!exit.name)
		return value_refuse_no_memory(name);
	grown[config->exit_count++] = exit;
	return 0;
}

#define EXIT_PORT_DEFAULT 1080

int settings_add_exit(struct draft *draft, const struct value *name,
		      const struct exit_values *values)
{
	const char *host = values->address->text;
	struct destination destination;
	uint32_t port = EXIT_PORT_DEFAULT;
	struct exit_config *exit;
	int err = set_number(&port, values->port, 1, UINT16_MAX);

	if (err)
		return err;
	if (destination_from_host(&destination, host, strlen(host), (uint16_t)port))
		return value_refuse(
			values->address,
			"not where an exit can be; legal: a host name or an IP address");
	err = add_exit(draft->config, name, &destination);
	if (err)
		return err;
	exit = &draft->config->exits[draft->config->exit_count - 1];
	err = set_number(&exit->priority, values->priority, 0, 65535);
	if (!err)
		err = set_number(&exit->weight, values->weight, 1, 65535);
	return err ? err : read_token(exit, values->token_file);
}

int settings_use_exit(struct draft *draft, const struct value *where, const struct value *none)
{
	struct destination destination;

	(void)none;
	if (destination_parse(where->text, &destination))
		return value_refuse(where, "not where an exit can be; legal: HOST:PORT, ADDR:PORT "
					   "or [ADDR6]:PORT, PORT 1 to 65535");
	return add_exit(draft->config, where, &destination);
}

int settings_set_when_no_exit(struct config *config, const struct value *value)
{
	if (strcmp(value->text, "direct") == 0)
		config->when_no_exit = WHEN_NO_EXIT_DIRECT;
	else if (strcmp(value->text, "refuse") == 0)
		config->when_no_exit = WHEN_NO_EXIT_REFUSE;
	else
		return value_refuse(value, "no such choice; legal: direct, refuse");
	return 0;
}

/* For the exits of --exit, which have no token yet. */
static int finish_used_exits(struct draft *draft)
{
	bool used = false;

	for (size_t i = 0; i < draft->config->exit_count; i++) {
		struct exit_config *exit = &draft->config->exits[i];
		int err;

		if (exit->tokens.count > 0)
			continue;
		if (!draft->exit_token.name) {
			log_error("--exit %s: no token for it; legal: with --exit-token FILE",
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
				    "no exit wants it; legal: with --exit HOST:PORT");
	return 0;
}

int settings_finish_exits(struct draft *draft)
{
	struct config *config = draft->config;
	const struct value *exit_name = draft->exit_name.name ? &draft->exit_name : NULL;
	bool served = false;

	for (size_t i = 0; i < config->listen_count; i++) {
		struct listen_config *listen = &config->listen[i];
		int err;

		if (!listen->serves_exit)
			continue;
		if (!draft->tokens.name)
			return value_refuse(&draft->listen_from[i],
					    "nobody could use it; legal: with --tokens FILE");
		err = add_tokens(config, listen, &draft->tokens, exit_name);
		if (err)
			return err;
		served = true;
	}
	if (draft->tokens.name && !served)
		return value_refuse(&draft->tokens,
				    "nothing takes them; legal: with --serve-exit ADDR:PORT");
	if (exit_name && !served)
		return value_refuse(exit_name,
				    "no exit to name; legal: with --serve-exit ADDR:PORT");
	return finish_used_exits(draft);
}
