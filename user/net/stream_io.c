/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/stream_io.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t stream_recv(int fd, void *bytes, size_t size)
{
	return syscall(SYS_recvfrom, fd, bytes, size, MSG_DONTWAIT, NULL, NULL);
}

ssize_t stream_send(int fd, const void *bytes, size_t len)
{
	return syscall(SYS_sendto, fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}
