/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users and their passwords: judged and stored. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/text_file.h"
#include "config/settings_private.h"

/* A password, its newline, and room to see that it is too long. */
#define PASSWORD_FILE_MAX_BYTES 4096

/* What makes a line something else than the password that its writer meant, or NULL. A mark of
 * typography inside may be meant, one around it comes from a word processor. */
static const char *find_fault(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t size = 0;
		const char *mark = text_typography(line + i, &size);

		if (mark && (i == 0 || i + size == len))
			return mark;
		/* RFC 7617 section 2 */
		if (iscntrl((unsigned char)line[i]))
			return "control character";
	}
	return NULL;
}

/* Fills password, which is zeroed, with the first line of text. */
static int take_password(char password[static USER_PASSWORD_MAX + 1], const char *text, size_t size,
			 const struct value *value)
{
	unsigned int line;
	const char *fault = text_file_fault(text, size, &line);
	size_t len = strcspn(text, "\n");

	if (fault)
		return value_refuse(value, "line %u: %s", line, fault);
	if (text[len] == '\n' && len > 0 && text[len - 1] == '\r')
		len--;
	if (len == 0 || len > USER_PASSWORD_MAX || text[strcspn(text, "\n")] == '\0')
		return value_refuse(value,
				    "no password on its first line; expected 1 to %d bytes, no NUL",
				    USER_PASSWORD_MAX);
	fault = find_fault(text, len);
	if (fault)
		return value_refuse(
			value, "stray %s on its first line; expected the password alone", fault);
	if (isblank((unsigned char)text[0]) || isblank((unsigned char)text[len - 1]))
		value_log(LOG_LEVEL_WARNING, value,
			  "the password begins or ends with a blank, which is a part of it");
	memcpy(password, text, len);
	return 0;
}

static int read_password(char password[static USER_PASSWORD_MAX + 1], const struct value *value)
{
	struct stat info;
	size_t size = 0;
	char *text = text_file_read(value->text, PASSWORD_FILE_MAX_BYTES, &size);
	int err;

	if (!text)
		return value_refuse(value,
				    "cannot be read: %s; expected a file of at most %d bytes",
				    strerror(errno), PASSWORD_FILE_MAX_BYTES);
	err = take_password(password, text, size, value);
	if (!err && stat(value->text, &info) == 0 && info.st_mode & (S_IRGRP | S_IROTH))
		value_log(LOG_LEVEL_WARNING, value,
			  "others than the owner can read it; chmod 600 keeps the password secret");
	sodium_memzero(text, size);
	free(text);
	return err;
}

/* HTTP ends a name at the colon (RFC 7617 section 2). */
static bool is_user_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == ':' || name[i] == '\x7f')
			return false;
	return len >= 1 && len <= USER_NAME_MAX;
}

int settings_add_user(struct draft *draft)
{
	struct users *users = &draft->config->users;
	const struct value *name = &draft->item.name;
	struct user user = {0};
	struct user *grown;
	int err;

	if (!is_user_name(name->text))
		return value_refuse(name,
				    "expected a user's name of 1 to %d bytes, without a colon or a "
				    "control character",
				    USER_NAME_MAX);
	for (size_t i = 0; i < users->count; i++)
		if (strcmp(users->user[i].name, name->text) == 0)
			return value_refuse(name,
					    "a second user of this name; expected every name once");
	snprintf(user.name, sizeof(user.name), "%s", name->text);
	err = read_password(user.password, &draft->item.secret_file);
	if (err)
		goto out;
	/* Not realloc(), which may leave passwords in memory it frees. */
	grown = calloc(users->count + 1, sizeof(*grown));
	if (!grown) {
		err = value_refuse_no_memory(name);
		goto out;
	}
	if (users->count > 0) {
		memcpy(grown, users->user, users->count * sizeof(*grown));
		sodium_memzero(users->user, users->count * sizeof(*grown));
	}
	free(users->user);
	users->user = grown;
	users->user[users->count++] = user;
out:
	sodium_memzero(&user, sizeof(user));
	return err;
}
