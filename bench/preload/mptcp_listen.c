/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To be preloaded into a peer of the benchmark: its listeners speak MPTCP, what it dials does not.
 * A socket becomes one of MPTCP when it is told to listen, as before that nobody knows what it is
 * for. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct option {
	int level;
	int name;
};

static const struct option kept[] = {
	{SOL_SOCKET, SO_REUSEADDR},  {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_KEEPALIVE},
	{SOL_SOCKET, SO_SNDBUF},     {SOL_SOCKET, SO_RCVBUF},	 {SOL_SOCKET, SO_MARK},
	{IPPROTO_IPV6, IPV6_V6ONLY}, {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_DEFER_ACCEPT},
	{IPPROTO_TCP, TCP_FASTOPEN},
};

/* 0 if it is not known there. */
static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) ? 0 : value;
}

/* What was set of buffers must be set as half of what is told. What MPTCP of this kernel does not
 * have is left out. */
static void copy_options(int from, int to)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const struct option *each = &kept[i];
		int value = option(from, each->level, each->name);
		int standard = option(to, each->level, each->name);

		if (each->level == SOL_SOCKET &&
		    (each->name == SO_SNDBUF || each->name == SO_RCVBUF)) {
			value /= 2;
			standard /= 2;
		}
		if (value != standard)
			setsockopt(to, each->level, each->name, &value, sizeof(value));
	}
}

/* In place of fd, with its address and flags. 0, or -1 with errno set. */
static int replace(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	int flags = fcntl(fd, F_GETFL);
	int cloexec = fcntl(fd, F_GETFD);
	int made;
	int err;

	if (flags < 0 || cloexec < 0 || getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	made = socket(option(fd, SOL_SOCKET, SO_DOMAIN), SOCK_STREAM, IPPROTO_MPTCP);
	if (made < 0)
		return -1;
	copy_options(fd, made);
	/* First, as two sockets cannot have the address. */
	err = dup2(made, fd) < 0 || fcntl(fd, F_SETFL, flags) || fcntl(fd, F_SETFD, cloexec) ||
	      bind(fd, (const struct sockaddr *)&address, len);
	close(made);
	return err ? -1 : 0;
}

__attribute__((visibility("default"))) int listen(int fd, int backlog)
{
	int (*original)(int, int);

	*(void **)&original = dlsym(RTLD_NEXT, "listen");
	if (!original) {
		errno = ENOSYS;
		return -1;
	}
	if (option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP && replace(fd))
		return -1;
	return original(fd, backlog);
}
