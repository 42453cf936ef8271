/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/exit_line.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#define SCHEME	"hawser://"
#define COMMAND "hawser exit-add "
#define EXPECTED                                                                                   \
	"expected the word hawser://TOKEN:KEY@HOST:PORT/NAME that 'hawser exit-setup' prints"

bool exit_is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._:[]-";
	const size_t len = strlen(name);

	return len >= 1 && len <= HOP_EXIT_NAME_MAX && strspn(name, allowed) == len;
}

static int refuse(char error[EXIT_LINE_ERROR_MAX], const char *what)
{
	snprintf(error, EXIT_LINE_ERROR_MAX, "%s; " EXPECTED, what);
	return -EINVAL;
}

/* "TOKEN:KEY" becomes a line of a token file. */
static int take_token(const char *secret, struct exit_line *out, char error[EXIT_LINE_ERROR_MAX])
{
	struct token token;
	char fault[TOKEN_ERROR_MAX];
	const int len = snprintf(out->token, sizeof(out->token), "%s", secret);
	char *colon = strchr(out->token, ':');

	if (!colon || len >= (int)sizeof(out->token) || strpbrk(secret, " \t"))
		return refuse(error, "there is no TOKEN:KEY before the @");
	*colon = ' ';
	if (token_parse(out->token, &token, fault)) {
		snprintf(error, EXIT_LINE_ERROR_MAX, "the token %s", fault);
		return -EINVAL;
	}
	sodium_memzero(&token, sizeof(token));
	return 0;
}

/* word is cut. */
static int take(char *word, struct exit_line *out, char error[EXIT_LINE_ERROR_MAX])
{
	char *at = strchr(word, '@');
	char *slash = at ? strchr(at, '/') : NULL;

	if (!at)
		return refuse(error, "there is no @");
	if (!slash)
		return refuse(error, "there is no / before the exit's name; is the end cut off?");
	*at = *slash = '\0';
	if (!exit_is_name(slash + 1)) {
		snprintf(error, EXIT_LINE_ERROR_MAX,
			 "\"%.100s\" is no exit's name; expected " EXIT_NAME_EXPECTED, slash + 1);
		return -EINVAL;
	}
	memcpy(out->name, slash + 1, strlen(slash + 1) + 1);
	if (exit_place_parse(at + 1, &out->place)) {
		snprintf(error, EXIT_LINE_ERROR_MAX,
			 "\"%.100s\" is no address of an exit; expected HOST:PORT, ADDRESS:PORT, "
			 "[ADDRESS6]:PORT or ADDRESS,[ADDRESS6]:PORT",
			 at + 1);
		return -EINVAL;
	}
	return take_token(word, out, error);
}

int exit_line_parse(const char *text, struct exit_line *out, char error[EXIT_LINE_ERROR_MAX])
{
	char word[EXIT_LINE_MAX];
	size_t len;
	int err;

	*out = (struct exit_line){0};
	while (isspace((unsigned char)*text))
		text++;
	if (strncmp(text, COMMAND, strlen(COMMAND)) == 0)
		text += strlen(COMMAND);
	while (isspace((unsigned char)*text))
		text++;
	if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
		return refuse(error, "it does not begin with " SCHEME);
	text += strlen(SCHEME);
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len >= sizeof(word))
		return refuse(error, "it is too long");
	memcpy(word, text, len);
	word[len] = '\0';
	err = take(word, out, error);
	sodium_memzero(word, sizeof(word));
	if (err)
		sodium_memzero(out, sizeof(*out));
	return err;
}

const char *exit_line_format(const struct exit_line *line, char out[EXIT_LINE_MAX])
{
	char where[EXIT_PLACE_TEXT_MAX];
	const char *space = strchr(line->token, ' ');

	snprintf(out, EXIT_LINE_MAX, SCHEME "%.*s:%s@%s/%s", (int)(space - line->token),
		 line->token, space + 1, exit_place_format(&line->place, where), line->name);
	return out;
}
