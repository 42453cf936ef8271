/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "links/link_connect.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"

int link_connect(const char *device, const union address *from, const union address *to)
{
	const struct linger at_once = {.l_onoff = 1};
	const int fd =
		socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	/* The rule for the address leads there as well; the device is for who takes rules away. */
	(void)setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device));
	if (socket_bind_source(fd, from) == 0 &&
	    (connect(fd, &to->sa, address_length(to)) == 0 || errno == EINPROGRESS))
		return fd;
	close(fd);
	return -1;
}
