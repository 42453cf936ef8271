/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/mptcp_room.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* What is left of it when the jam has passed. */
#define EMPTY_SHARE 8

/* The kernel doubles what it is given (socket(7)). */
static bool set_buffer(int fd, uint32_t bytes)
{
	const int half = (int)(bytes / 2);

	return setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof(half)) == 0;
}

unsigned int mptcp_room_adjust(int fd, unsigned int doubled, unsigned int most)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(memory);
	uint32_t size;
	uint32_t used;
	int readable;

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len))
		return doubled;
	size = memory[SK_MEMINFO_RCVBUF];
	used = memory[SK_MEMINFO_RMEM_ALLOC];
	if (doubled > 0 && used < size / EMPTY_SHARE)
		return doubled - set_buffer(fd, size / 2);
	/* What can be read is the reader's to take. */
	if (doubled >= most || used < size || ioctl(fd, SIOCINQ, &readable) || readable > 0)
		return doubled;
	return doubled + set_buffer(fd, size * 2);
}
