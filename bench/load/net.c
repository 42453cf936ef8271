/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections for the load tool: TCP or MPTCP, direct or through a SOCKS5 proxy. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef TCP_IS_MPTCP
#define TCP_IS_MPTCP 43
#endif

#define BACKLOG 1024

enum socks { SOCKS_VERSION = 5, SOCKS_NO_PASSWORD = 0, SOCKS_CONNECT = 1 };
enum socks_address { SOCKS_IPV4 = 1, SOCKS_IPV6 = 4 };

struct address {
	socklen_t len;
	struct sockaddr_storage any;
};

static struct address parse(const char *text)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	const char *colon = strrchr(text, ':');
	bool brackets = text[0] == '[' && colon && colon > text && colon[-1] == ']';
	struct address address;
	struct addrinfo *found;
	char host[64];
	int error;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		die("%s: not ADDR:PORT", text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2 * brackets, text + brackets);
	error = getaddrinfo(host, colon + 1, &hints, &found);
	if (error)
		die("%s: %s", text, gai_strerror(error));
	address.len = found->ai_addrlen;
	memcpy(&address.any, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return address;
}

static int make_socket(const struct address *address, bool mptcp)
{
	int fd = socket(address->any.ss_family, SOCK_STREAM | SOCK_CLOEXEC,
			mptcp ? IPPROTO_MPTCP : IPPROTO_TCP);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	return fd;
}

int net_listen(const char *text, bool mptcp)
{
	const struct address address = parse(text);
	int fd = make_socket(&address, mptcp);
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&address.any, address.len) || listen(fd, BACKLOG))
		die("listen on %s: %s", text, strerror(errno));
	return fd;
}

void net_set_nodelay(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		die("TCP_NODELAY: %s", strerror(errno));
}

/* Kernels before 6.10 cannot tell a fallback this way; there the socket's protocol must do. */
bool net_is_mptcp(int fd)
{
	int protocol = 0;
	int spoken = 1;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) || protocol != IPPROTO_MPTCP)
		return false;
	len = sizeof(int);
	return getsockopt(fd, IPPROTO_TCP, TCP_IS_MPTCP, &spoken, &len) || spoken;
}

bool net_again(int fd, short events)
{
	struct pollfd waited = {.fd = fd, .events = events};

	return errno == EINTR || (errno == EAGAIN && poll(&waited, 1, -1) >= 0);
}

void net_read_all(int fd, void *data, size_t len)
{
	for (char *at = data; len > 0;) {
		ssize_t n = recv(fd, at, len, 0);

		if (n < 0 && net_again(fd, POLLIN))
			continue;
		if (n <= 0)
			die("receive: %s", n ? strerror(errno) : "the other side closed");
		at += n;
		len -= (size_t)n;
	}
}

void net_write_all(int fd, const void *data, size_t len)
{
	for (const char *at = data; len > 0;) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && net_again(fd, POLLOUT))
			continue;
		if (n < 0)
			die("send: %s", strerror(errno));
		at += n;
		len -= (size_t)n;
	}
}

/* The address as SOCKS writes it: kind, address, port. */
static size_t socks_put_address(unsigned char *at, const struct address *address)
{
	if (address->any.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->any;

		at[0] = SOCKS_IPV6;
		memcpy(at + 1, &in6->sin6_addr, 16);
		memcpy(at + 17, &in6->sin6_port, 2);
		return 19;
	}
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&address->any;

	at[0] = SOCKS_IPV4;
	memcpy(at + 1, &in4->sin_addr, 4);
	memcpy(at + 5, &in4->sin_port, 2);
	return 7;
}

/* RFC 1928, without a password. */
static void socks_connect(int fd, const struct address *target)
{
	static const unsigned char greeting[] = {SOCKS_VERSION, 1, SOCKS_NO_PASSWORD};
	unsigned char request[3 + 19] = {SOCKS_VERSION, SOCKS_CONNECT, 0};
	unsigned char answer[4 + 16 + 2];

	net_write_all(fd, greeting, sizeof(greeting));
	net_read_all(fd, answer, 2);
	if (answer[0] != SOCKS_VERSION || answer[1] != SOCKS_NO_PASSWORD)
		die("the proxy wants method %u", answer[1]);
	net_write_all(fd, request, 3 + socks_put_address(request + 3, target));
	net_read_all(fd, answer, 4);
	if (answer[1] != 0)
		die("the proxy answers with error %u", answer[1]);
	net_read_all(fd, answer + 4, answer[3] == SOCKS_IPV6 ? 18 : 6);
}

/* The socket is non-blocking from before it is connected, as those of event loops are: of local
 * clients, hawserd accelerates only such. */
static void connect_without_blocking(int fd, const struct address *to, const char *text)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		die("O_NONBLOCK: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&to->any, to->len) && errno != EINPROGRESS)
		die("connect to %s: %s", text, strerror(errno));
	if (poll(&room, 1, -1) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) || error)
		die("connect to %s: %s", text, strerror(error ? error : errno));
}

int net_connect(const struct plan *plan)
{
	const struct address target = parse(plan->to);
	const struct address first = plan->proxy ? parse(plan->proxy) : target;
	int fd = make_socket(&first, plan->mptcp);

	if (plan->nonblocking)
		connect_without_blocking(fd, &first, plan->proxy ? plan->proxy : plan->to);
	else if (connect(fd, (const struct sockaddr *)&first.any, first.len))
		die("connect to %s: %s", plan->proxy ? plan->proxy : plan->to, strerror(errno));
	net_set_nodelay(fd);
	if (plan->proxy)
		socks_connect(fd, &target);
	return fd;
}
