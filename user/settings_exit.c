/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of exits, on either side: judged and stored. */
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "settings.h"

#define NAME_LEGAL "1 to 255 of A-Z a-z 0-9 . _ : [ ] -"

static int refuse_no_memory(const struct value *value)
{
	value_log(LOG_LEVEL_ERROR, value, "%s", strerror(ENOMEM));
	return -ENOMEM;
}

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
		return refuse_no_memory(file);
	config->gates = grown;
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return refuse_no_memory(file);
	grown[config->gate_count++] = gate;
	err = token_file_read(file->text, &gate->tokens);
	if (err)
		return err;
	if (exit_name) {
		gate->exit_name = strdup(exit_name->text);
		if (!gate->exit_name)
			return refuse_no_memory(file);
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
	return 0;
}
