/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "auth/failed_login.h"

#include "base/log.h"
#include "net/socket.h"

void failed_login_tell(int fd, const union address *client, const char *name, const char *why)
{
	union address listener = {0};
	char from[ADDRESS_TEXT_MAX], at[ADDRESS_TEXT_MAX];

	socket_local_address(fd, &listener);
	/* The address first: nothing that a stranger chose may look like one. */
	log_warning("log-in failed from %s port %u at %s, name %s: %s",
		    address_format_ip(client, from), address_port(client),
		    address_format(&listener, at), name, why);
}
