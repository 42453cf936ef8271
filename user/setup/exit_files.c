/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of `hawser exit-setup` that write files: token and configuration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/address.h"
#include "cli/die.h"
#include "net/local_address.h"
#include "setup/exit_setup_private.h"
#include "setup/system_file.h"
#include "setup/text_block.h"

#define TOKEN_NAME "router"

int setup_fail(char text[SETUP_TEXT_MAX], const char *path, int err)
{
	if (err)
		snprintf(text, SETUP_TEXT_MAX, "%s: %s", path, strerror(-err));
	return err;
}

/* The line of TOKEN_NAME becomes that of the setup. */
static bool find_token(struct exit_setup *setup, char *file)
{
	char *rest = file;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		char error[TOKEN_ERROR_MAX];
		struct token token;
		const size_t name = strlen(TOKEN_NAME);

		if (strncmp(line, TOKEN_NAME " ", name + 1) != 0 ||
		    token_parse(line, &token, error))
			continue;
		sodium_memzero(&token, sizeof(token));
		line[name + 1 + strcspn(line + name + 1, " \t")] = '\0';
		snprintf(setup->line.token, sizeof(setup->line.token), "%s", line);
		return true;
	}
	return false;
}

static bool token_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char *file = system_file_read(setup->tokens);
	const bool found = find_token(setup, file);

	snprintf(text, SETUP_TEXT_MAX, "%s: the token " TOKEN_NAME, setup->tokens);
	free(file);
	return found;
}

static int token_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char *file = system_file_read(setup->tokens);
	const size_t len = strlen(file);
	char line[TOKEN_LINE_MAX];
	char *more = NULL;
	int err;

	token_new_line(TOKEN_NAME, line);
	if (asprintf(&more, "%s%s%s\n", file, len && file[len - 1] != '\n' ? "\n" : "", line) < 0)
		die("out of memory");
	err = record_set(&setup->record, "token", *file ? "added" : "made");
	if (!err)
		err = system_file_write(setup->tokens, more, 0640);
	snprintf(setup->line.token, sizeof(setup->line.token), "%.*s",
		 (int)sizeof(setup->line.token) - 1, line);
	setup->reload_due = true;
	sodium_memzero(line, sizeof(line));
	sodium_memzero(more, strlen(more));
	free(more);
	free(file);
	return setup_fail(text, setup->tokens, err);
}

static int token_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char how[RECORD_VALUE_MAX];
	char *file;
	char *line;
	int err = 0;

	if (!record_get(&setup->record, "token", how))
		return 0;
	file = system_file_read(setup->tokens);
	line = strncmp(file, TOKEN_NAME " ", strlen(TOKEN_NAME " ")) == 0 ? file : NULL;
	if (!line && (line = strstr(file, "\n" TOKEN_NAME " ")))
		line++;
	if (line) {
		const char *next = strchr(line, '\n');

		memmove(line, next ? next + 1 : "", strlen(next ? next + 1 : "") + 1);
		if (*file || strcmp(how, "made") != 0)
			err = system_file_write(setup->tokens, file, 0640);
		else
			err = unlink(setup->tokens) ? -errno : 0;
		snprintf(text, SETUP_TEXT_MAX, "%s: the token " TOKEN_NAME " is removed",
			 setup->tokens);
	}
	free(file);
	if (!err)
		err = record_set(&setup->record, "token", NULL);
	setup->reload_due = true;
	return err ? setup_fail(text, setup->tokens, err) : 0;
}

/* What the configuration is to be; the caller's. body: of our block, NULL: none. */
static char *configuration(const struct exit_setup *setup, bool wanted)
{
	const union address any6 = {.in6 = {.sin6_family = AF_INET6}};
	const unsigned int port = setup->line.destination.port;
	char *file = system_file_read(setup->file);
	char body[3 * PATH_MAX];
	char *text;
	int len;

	len = snprintf(body, sizeof(body),
		       "listen \"exit4\" { address = \"0.0.0.0:%u\"  tokens = \"%s\" }\n", port,
		       setup->tokens);
	if (!local_address_is_off(&any6))
		snprintf(body + len, sizeof(body) - (size_t)len,
			 "listen \"exit6\" { address = \"[::]:%u\"  tokens = \"%s\" }\n", port,
			 setup->tokens);
	text = text_block_set(file, EXIT_SETUP_BLOCK, wanted ? body : NULL);
	if (!text)
		die("out of memory");
	free(file);
	return text;
}

static bool configuration_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char *shall = configuration(setup, true);
	const bool done = system_file_is(setup->file, shall);

	free(shall);
	snprintf(text, SETUP_TEXT_MAX, "%s: an exit on port %u", setup->file,
		 setup->line.destination.port);
	return done;
}

static int configuration_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char *shall = configuration(setup, true);
	const bool fresh = system_file_is(setup->file, "");
	int err = record_set(&setup->record, "configuration", fresh ? "made" : "added");

	if (!err)
		err = system_file_write(setup->file, shall, 0640);
	free(shall);
	setup->reload_due = true;
	return setup_fail(text, setup->file, err);
}

static int configuration_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char how[RECORD_VALUE_MAX];
	char *rest;
	int err = 0;

	if (!record_get(&setup->record, "configuration", how))
		return 0;
	rest = configuration(setup, false);
	err = system_file_write(setup->file, rest, 0640);
	setup->file_is_empty = !*rest && strcmp(how, "made") == 0;
	free(rest);
	if (!err)
		err = record_set(&setup->record, "configuration", NULL);
	snprintf(text, SETUP_TEXT_MAX, "%s: the exit is removed", setup->file);
	setup->reload_due = true;
	return err ? setup_fail(text, setup->file, err) : 0;
}

const struct setup_step setup_file_steps[] = {
	{"token", token_is_done, token_make, token_undo},
	{"configuration", configuration_is_done, configuration_make, configuration_undo},
	{NULL, NULL, NULL, NULL},
};
