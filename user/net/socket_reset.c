/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/socket_reset.h"

#include <sys/socket.h>
#include <unistd.h>

void socket_reset(int fd)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	/* On MPTCP sockets some kernels (6.18.15) take SO_LINGER for a reset of each subflow, and
	 * send no MP_FASTCLOSE: the peer sees an orderly end. To disconnect sends it on all. */
	if (connect(fd, &nobody, sizeof(nobody)))
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}
