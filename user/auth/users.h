/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may use a listener: source prefixes without a password, users with one. */
#ifndef HAWSER_AUTH_USERS_H
#define HAWSER_AUTH_USERS_H

#include <stddef.h>

#include "proto/handshake.h"

struct user {
	char name[USER_NAME_MAX + 1];
	char password[USER_PASSWORD_MAX + 1]; /* zero-padded, so that the compare takes one time */
};

struct users {
	struct user *user;
	size_t count;
};

/* Compares in constant time, whether the name exists or not. name and password need not be
 * NUL-terminated. The name as users has it, or NULL if the password is not right. */
const char *users_check(const struct users *users, const char *name, size_t name_len,
			const char *password, size_t password_len);

#endif
