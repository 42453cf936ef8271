/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser exit-add`: a router takes an exit by the line that `hawser exit-setup` printed there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "cli/die.h"
#include "config/config.h"
#include "config/options.h"
#include "doctor/doctor.h"
#include "proto/exit_line.h"
#include "setup/commands.h"
#include "setup/exit_setup_private.h"
#include "setup/system_file.h"
#include "setup/text_block.h"

#define TOKEN_DIRECTORY "/etc/hawser/exits"

struct addition {
	struct exit_line line;
	bool answers;		      /* hawserd does */
	bool has_file;		      /* and it has read one */
	char silence[SETUP_TEXT_MAX]; /* one is there and does not */
	char file[PATH_MAX];	      /* the configuration, */
	char *before;		      /* as it was, */
	char *after;		      /* and is to be */
	char token_file[PATH_MAX];
	char *token_before;
};

static void find_file(struct addition *add, const char *control, bool force)
{
	add->answers = setup_find_file(control, add->file, add->silence);
	if (*add->silence && !force)
		die("%s; --force takes it that it reads " CONFIG_FILE_DEFAULT, add->silence);
	add->has_file = add->answers && *add->file;
	if (!*add->file)
		snprintf(add->file, sizeof(add->file), "%s", CONFIG_FILE_DEFAULT);
	setup_refuse_made(add->file, add->answers);
}

static void prepare(struct addition *add)
{
	const struct exit_place *place = &add->line.place;
	char block[HOP_EXIT_NAME_MAX + 8];
	char host[EXIT_PLACE_TEXT_MAX];
	char body[PATH_MAX + 1024];

	snprintf(add->token_file, sizeof(add->token_file), TOKEN_DIRECTORY "/%s.token",
		 add->line.name);
	snprintf(body, sizeof(body),
		 "exit \"%s\" { address = \"%s\"  port = %u  token-file = \"%s\" }\n",
		 add->line.name, exit_place_format_host(place, host), place->destination.port,
		 add->token_file);
	snprintf(block, sizeof(block), "exit %s", add->line.name);
	add->before = system_file_read(add->file);
	add->token_before = system_file_read(add->token_file);
	add->after = text_block_set(add->before, block, body);
	if (!add->after)
		die("out of memory");
}

static void take_back(const struct addition *add)
{
	setup_put_back(add->file, add->before);
	setup_put_back(add->token_file, add->token_before);
}

static void write_files(const struct addition *add)
{
	char token[EXIT_LINE_TOKEN_MAX + 1];
	int err;

	snprintf(token, sizeof(token), "%s\n", add->line.token);
	err = system_file_write(add->token_file, token, 0640);
	sodium_memzero(token, sizeof(token));
	if (err)
		die("%s: %s", add->token_file, strerror(-err));
	err = system_file_write(add->file, add->after, 0640);
	if (err) {
		setup_put_back(add->token_file, add->token_before);
		die("%s: %s", add->file, strerror(-err));
	}
}

static bool is_there(const struct addition *add)
{
	const size_t len = strlen(add->line.token);

	return strcmp(add->before, add->after) == 0 &&
	       strncmp(add->token_before, add->line.token, len) == 0 &&
	       strcmp(add->token_before + len, "\n") == 0;
}

/* Returns the exit status. */
static int tell_use(const struct addition *add, int err, const char *text)
{
	if (add->has_file && !err)
		puts("hawserd uses it now: see 'hawser exits'");
	else if (add->answers && !add->has_file)
		printf("hawserd was started without a file: start it with -c %s\n", add->file);
	else if (err != -ETIMEDOUT)
		puts("hawserd uses it when it is started");
	fflush(stdout);
	if (err == -ETIMEDOUT)
		fprintf(stderr,
			"hawser: %s; it uses the exit when it is started, or after 'hawser "
			"reload'\n",
			text);
	return err == -ETIMEDOUT ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int reload(const struct addition *add, const char *control, char text[SETUP_TEXT_MAX])
{
	if (*add->silence)
		snprintf(text, SETUP_TEXT_MAX, "%s", add->silence);
	if (!add->has_file)
		return *add->silence ? -ETIMEDOUT : 0;
	return setup_reload(control, text);
}

/* It may be so of a run that has not seen hawserd take it. */
static int use_again(const struct addition *add, const char *control)
{
	char text[SETUP_TEXT_MAX] = "";
	int err;

	printf("%s has exit %s already\n", add->file, add->line.name);
	fflush(stdout);
	err = reload(add, control, text);
	if (err == -EINVAL)
		die("%s", text);
	return tell_use(add, err, text);
}

static int add_exit(const struct addition *add, const char *control)
{
	char text[SETUP_TEXT_MAX] = "";
	int err;

	write_files(add);
	if (!setup_is_valid(add->file)) {
		take_back(add);
		die("%s stays as it was", add->file);
	}
	err = reload(add, control, text);
	if (err == -EINVAL) {
		take_back(add);
		die("%s; %s stays as it was", text, add->file);
	}
	printf("%s: exit %s is added; its token is in %s\n", add->file, add->line.name,
	       add->token_file);
	return tell_use(add, err, text);
}

static bool test(const struct addition *add, const char *control)
{
	struct token token;
	char error[TOKEN_ERROR_MAX];
	bool good;

	if (token_parse(add->line.token, &token, error))
		die("the token %s", error);
	good = doctor_test_exit(control, add->line.name, &add->line.place, &token);
	sodium_memzero(&token, sizeof(token));
	return good;
}

int exit_add_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options = CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_FORCE),
					   .words = "LINE",
					   .words_max = 1};
	struct arguments arguments;
	struct addition add = {0};
	char error[EXIT_LINE_ERROR_MAX];
	int status = EXIT_SUCCESS;
	int err;

	/* Each file says itself who may read it. */
	umask(022);
	arguments_parse(&arguments, command, argc, argv, &usage);
	if (!arguments.words[0])
		die_usage(command->name, "expected the line that 'hawser exit-setup' prints on the "
					 "exit");
	if (sodium_init() < 0)
		die("libsodium finds no source of random numbers");
	err = exit_line_parse(arguments.words[0], &add.line, error);
	/* All users can read a command line. */
	sodium_memzero(arguments.words[0], strlen(arguments.words[0]));
	if (err)
		die_usage(command->name, "%s", error);
	if (geteuid() != 0)
		die("exit-add changes this machine: run it as root");
	system_lock();
	find_file(&add, arguments.control, arguments.option[CLI_FORCE] != NULL);
	prepare(&add);
	if (is_there(&add)) {
		status = use_again(&add, arguments.control);
	} else if (!test(&add, arguments.control) && !arguments.option[CLI_FORCE]) {
		fflush(stdout);
		fprintf(stderr, "hawser: the exit is not added; --force adds it nevertheless\n");
		status = EXIT_FAILURE;
	} else {
		status = add_exit(&add, arguments.control);
	}
	sodium_memzero(&add.line, sizeof(add.line));
	sodium_memzero(add.token_before, strlen(add.token_before));
	free(add.before);
	free(add.after);
	free(add.token_before);
	flush_or_die();
	return status;
}
