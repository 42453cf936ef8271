/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connects to "tcp|mptcp|udp|child|again ADDRESS PORT", and prints its own address, that of its
 * peer, and what that sends first; again: is refused there, and the same socket connects to this
 * host's port instead. Linked statically: no library can be put before its connect(). */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROTOCOL_MPTCP = 262 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t parse(union address *to, const char *host, const char *port)
{
	const in_port_t number = htons((in_port_t)strtoul(port, NULL, 10));

	if (inet_pton(AF_INET, host, &to->v4.sin_addr) == 1) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = number;
		return sizeof(to->v4);
	}
	to->v6.sin6_family = AF_INET6;
	to->v6.sin6_port = number;
	return inet_pton(AF_INET6, host, &to->v6.sin6_addr) == 1 ? sizeof(to->v6) : 0;
}

static void print(const union address *address)
{
	const void *host = address->any.sa_family == AF_INET ? (const void *)&address->v4.sin_addr
							     : (const void *)&address->v6.sin6_addr;
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(address->any.sa_family, host, text, sizeof(text)))
		exit(3);
	printf("%s ", text);
}

int main(int argc, char **argv)
{
	union address own = {0};
	union address peer = {0};
	socklen_t own_len = sizeof(own);
	socklen_t peer_len = sizeof(peer);
	char line[100] = "";
	socklen_t len;
	int status;
	int fd;

	if (argc != 4)
		return 2;
	if (strcmp(argv[1], "child") == 0 && fork()) {
		wait(&status);
		return WEXITSTATUS(status);
	}
	len = parse(&peer, argv[2], argv[3]);
	fd = socket(peer.any.sa_family, strcmp(argv[1], "udp") ? SOCK_STREAM : SOCK_DGRAM,
		    strcmp(argv[1], "mptcp") ? 0 : PROTOCOL_MPTCP);
	if (strcmp(argv[1], "again") == 0) {
		if (connect(fd, &peer.any, len) == 0)
			return 8;
		len = parse(&peer, peer.any.sa_family == AF_INET ? "127.0.0.1" : "::1", argv[3]);
	}
	if (connect(fd, &peer.any, len)) {
		perror("connect");
		return 5;
	}
	if (strcmp(argv[1], "udp") == 0 && write(fd, "?", 1) != 1)
		return 6;
	if (getsockname(fd, &own.any, &own_len) || getpeername(fd, &peer.any, &peer_len))
		return 4;
	print(&own);
	print(&peer);
	if (read(fd, line, sizeof(line) - 1) < 0)
		return 7;
	fputs(line, stdout);
	return 0;
}
