/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line that fail2ban and the like read, in the same words wherever somebody logs in. */
#ifndef HAWSER_AUTH_FAILED_LOGIN_H
#define HAWSER_AUTH_FAILED_LOGIN_H

#include "base/address.h"

/* A warning. fd: of the client's connection, whose own end names the listener. name: quoted, or
 * "-". */
void failed_login_tell(int fd, const union address *client, const char *name, const char *why);

#endif
