/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of tokens, one a line. */
#include "auth/token_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/log.h"
#include "base/text_file.h"

#define FILE_MAX_BYTES 1000000

static int check_rights(const char *path)
{
	struct stat info;

	if (stat(path, &info)) {
		int err = errno;

		log_error(
			"%s: cannot be read: %s; expected a file of tokens, see 'hawser token new'",
			path, strerror(err));
		return -err;
	}
	/* A pipe, as <(...) of a shell, has no rights to speak of. */
	if (S_ISREG(info.st_mode) && info.st_mode & (S_IROTH | S_IWOTH)) {
		log_error("%s: everybody can read or write it (mode %03o), and it has secrets; "
			  "expected chmod 600 or 640",
			  path, (unsigned int)(info.st_mode & 0777));
		return -EACCES;
	}
	return 0;
}

/* Not realloc(), which may leave keys in memory it frees. */
static int add(struct token_set *set, const struct token *token)
{
	struct token *grown = calloc(set->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	if (set->count > 0) {
		memcpy(grown, set->token, set->count * sizeof(*grown));
		sodium_memzero(set->token, set->count * sizeof(*grown));
	}
	free(set->token);
	set->token = grown;
	set->token[set->count++] = *token;
	return 0;
}

static int read_line(const char *path, unsigned int number, const char *line, struct token_set *set)
{
	char error[TOKEN_ERROR_MAX];
	struct token token;
	int err;

	if (line[strspn(line, " \t")] == '\0' || line[0] == '#')
		return 0;
	for (const char *at = line; *at; at++) {
		const char *mark = text_typography(at, &(size_t){0});

		if (mark) {
			log_error(
				"%s:%u: stray %s; expected a token as 'hawser token new' prints it",
				path, number, mark);
			return -EINVAL;
		}
	}
	err = token_parse(line, &token, error);
	if (err) {
		log_error("%s:%u: %s", path, number, error);
		return err;
	}
	if (token_set_find(set, token.name, strlen(token.name))) {
		log_error("%s:%u: a second token \"%s\"; expected every name once", path, number,
			  token.name);
		err = -EINVAL;
	} else if (add(set, &token)) {
		log_error("%s: %s", path, strerror(ENOMEM));
		err = -ENOMEM;
	}
	sodium_memzero(&token, sizeof(token));
	return err;
}

/* text is cut at its line ends. */
static int read_lines(const char *path, char *text, size_t len, struct token_set *set)
{
	unsigned int number = 1;
	const char *fault = text_file_fault(text, len, &number);
	int err = 0;

	if (fault) {
		log_error("%s:%u: %s", path, number, fault);
		return -EINVAL;
	}
	number = 1;
	if (strlen(text) != len) {
		log_error("%s: has a NUL byte; expected text, a token a line", path);
		return -EINVAL;
	}
	while (*text && !err) {
		size_t size = strcspn(text, "\n");

		text[size] = '\0';
		if (size > 0 && text[size - 1] == '\r')
			text[size - 1] = '\0';
		err = read_line(path, number++, text, set);
		text += size + 1;
	}
	return err;
}

int token_file_read(const char *path, struct token_set *out)
{
	size_t len = 0;
	char *text;
	int err;

	*out = (struct token_set){0};
	err = check_rights(path);
	if (err)
		return err;
	text = text_file_read(path, FILE_MAX_BYTES, &len);
	if (!text) {
		err = errno;
		log_error("%s: cannot be read: %s; expected a file of at most %d bytes", path,
			  strerror(err), FILE_MAX_BYTES);
		return -err;
	}
	out->path = strdup(path);
	err = out->path ? read_lines(path, text, len, out) : -ENOMEM;
	sodium_memzero(text, len);
	free(text);
	if (err)
		token_set_free(out);
	return err;
}

void token_set_free(struct token_set *set)
{
	if (set->token)
		sodium_memzero(set->token, set->count * sizeof(*set->token));
	free(set->token);
	free(set->path);
	*set = (struct token_set){0};
}

const struct token *token_set_find(const struct token_set *set, const char *name, size_t len)
{
	for (size_t i = 0; i < set->count; i++)
		if (strlen(set->token[i].name) == len && memcmp(set->token[i].name, name, len) == 0)
			return &set->token[i];
	return NULL;
}
