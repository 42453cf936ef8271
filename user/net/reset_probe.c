/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a reset of an MPTCP connection is seen as one, found out by doing it over loopback. */
#include "net/reset_probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/loopback.h"
#include "net/socket_reset.h"

/* Resets one end. What the other sees: -errno, 0 for an orderly end, or -ETIMEDOUT for nothing. */
static int reset_and_look(struct loopback *connection, bool accepted)
{
	int *end = accepted ? &connection->near : &connection->far;
	const int other = accepted ? connection->far : connection->near;
	char byte;

	socket_reset(*end);
	*end = -1;
	if (!loopback_wait(other, POLLIN))
		return -ETIMEDOUT;
	return recv(other, &byte, sizeof(byte), MSG_DONTWAIT) < 0 ? -errno : 0;
}

bool reset_probe_mptcp(char *reason, size_t size)
{
	for (int accepted = 0; accepted <= 1; accepted++) {
		struct loopback connection;
		const int err = loopback_open(&connection, IPPROTO_MPTCP, IPPROTO_MPTCP, 0);
		const int seen = err ? 0 : reset_and_look(&connection, accepted);

		loopback_close(&connection);
		if (err)
			snprintf(reason, size, "no connection over loopback to try with: %s",
				 strerror(-err));
		else if (seen == 0)
			snprintf(reason, size, "a peer takes a reset for an orderly end");
		else if (seen != -ECONNRESET)
			snprintf(reason, size, "a peer does not see a reset: %s", strerror(-seen));
		if (err || seen != -ECONNRESET)
			return false;
	}
	return true;
}
