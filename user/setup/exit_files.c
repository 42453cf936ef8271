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

/* As auth/token_file.c reads a line. */
static bool is_ours(const char *line, size_t len)
{
	char copy[TOKEN_LINE_MAX + 1];
	char error[TOKEN_ERROR_MAX];
	struct token token;
	bool ours;

	len -= len > 0 && line[len - 1] == '\r';
	if (len >= sizeof(copy) || *line == '#')
		return false;
	snprintf(copy, sizeof(copy), "%.*s", (int)len, line);
	ours = token_parse(copy, &token, error) == 0 && strcmp(token.name, TOKEN_NAME) == 0;
	sodium_memzero(copy, sizeof(copy));
	sodium_memzero(&token, sizeof(token));
	return ours;
}

/* The line of TOKEN_NAME; NULL: there is none. */
static char *find_token(char *file, size_t *len)
{
	for (char *line = file; *line; line += *len + (line[*len] == '\n')) {
		*len = strcspn(line, "\n");
		if (is_ours(line, *len))
			return line;
	}
	return NULL;
}

/* The router needs the name and the key only. */
static void note_token(struct exit_setup *setup, const char *line)
{
	const char *name = line + strspn(line, " \t");
	const char *key = name + strcspn(name, " \t");

	key += strspn(key, " \t");
	snprintf(setup->line.token, sizeof(setup->line.token), TOKEN_NAME " %.*s",
		 (int)strcspn(key, " \t\r\n"), key);
}

static bool token_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char *file = system_file_read(setup->tokens);
	size_t len;
	const char *line = find_token(file, &len);

	if (line)
		note_token(setup, line);
	snprintf(text, SETUP_TEXT_MAX, "%s: the token " TOKEN_NAME, setup->tokens);
	sodium_memzero(file, strlen(file));
	free(file);
	return line != NULL;
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
	err = record_set_first(&setup->record, "token",
			       access(setup->tokens, F_OK) ? "made" : "added");
	if (!err)
		err = system_file_write(setup->tokens, more, 0640);
	note_token(setup, line);
	setup->reload_due = true;
	sodium_memzero(line, sizeof(line));
	sodium_memzero(more, strlen(more));
	free(more);
	sodium_memzero(file, len);
	free(file);
	return setup_fail(text, setup->tokens, err);
}

static int token_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char how[RECORD_VALUE_MAX];
	size_t len;
	char *file;
	char *line;
	int err = 0;

	if (!record_get(&setup->record, "token", how))
		return 0;
	system_file_sweep(setup->tokens);
	file = system_file_read(setup->tokens);
	line = find_token(file, &len);
	if (line) {
		len += line[len] == '\n';
		memmove(line, line + len, strlen(line + len) + 1);
		if (*file || strcmp(how, "made") != 0)
			err = system_file_write(setup->tokens, file, 0640);
		else
			err = unlink(setup->tokens) ? -errno : 0;
		snprintf(text, SETUP_TEXT_MAX, "%s: the token " TOKEN_NAME " is removed",
			 setup->tokens);
	}
	sodium_memzero(file, strlen(file));
	free(file);
	if (!err)
		err = record_set(&setup->record, "token", NULL);
	setup->reload_due = true;
	return setup_fail(text, setup->tokens, err);
}

/* What the configuration is to be; the caller's. body: of our block, NULL: none. */
static char *configuration(const struct exit_setup *setup, bool wanted)
{
	const union address any6 = {.in6 = {.sin6_family = AF_INET6}};
	const unsigned int port = setup->line.place.destination.port;
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
		 setup->line.place.destination.port);
	return done;
}

/* One that hawserd could not start with is not left there. */
static int configuration_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char *before = system_file_read(setup->file);
	char *shall = configuration(setup, true);
	const bool is_new = access(setup->file, F_OK) != 0;
	int err = record_set_first(&setup->record, "file", setup->file);

	if (!err)
		err = record_set_first(&setup->record, "configuration", is_new ? "made" : "added");
	if (!err)
		err = system_file_write(setup->file, shall, 0640);
	setup_fail(text, setup->file, err);
	if (!err && !setup_is_valid(setup->file)) {
		setup_put_back(setup->file, before);
		snprintf(text, SETUP_TEXT_MAX, "%s would be wrong, and stays as it was",
			 setup->file);
		err = -EINVAL;
	}
	free(shall);
	free(before);
	setup->reload_due = true;
	return err;
}

int setup_forget_file(struct exit_setup *setup)
{
	const int err = record_set(&setup->record, "configuration", NULL);

	return err ? err : record_set(&setup->record, "file", NULL);
}

int setup_undo_configuration(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char how[RECORD_VALUE_MAX];
	char *rest;
	int err = 0;

	if (!record_get(&setup->record, "configuration", how))
		return 0;
	system_file_sweep(setup->file);
	rest = configuration(setup, false);
	/* One that is not there any more stays away. */
	if (!system_file_is(setup->file, rest))
		err = system_file_write(setup->file, rest, 0640);
	setup->file_is_empty = !*rest && strcmp(how, "made") == 0;
	free(rest);
	if (!err && !setup->file_is_empty)
		err = setup_forget_file(setup);
	snprintf(text, SETUP_TEXT_MAX, "%s: the exit is removed", setup->file);
	setup->reload_due = true;
	return setup_fail(text, setup->file, err);
}

const struct setup_step setup_file_steps[] = {
	{"token", token_is_done, token_make, token_undo},
	{"configuration", configuration_is_done, configuration_make, setup_undo_configuration},
	{NULL, NULL, NULL, NULL},
};
