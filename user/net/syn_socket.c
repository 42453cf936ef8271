/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw sockets that have this host receive a first packet again, or answer it. A packet of our own
 * that leaves by the loopback interface has its route with it when it comes in there, so that no
 * filter of the return path sees it. */
#include "net/syn_socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/icmp_echo.h"

/* IPPROTO_RAW receives nothing; what is sent has its IP header. */
static int open_raw(int family)
{
	const int one = 1;
	const int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	int err;

	if (fd < 0 || family != AF_INET6 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof(one)) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int syn_socket_open(struct syn_socket *socket, uint32_t mark)
{
	static const int families[IP_FAMILIES] = {[IP_V4] = AF_INET, [IP_V6] = AF_INET6};
	int err = 0;

	socket->mark = mark;
	for (int i = 0; i < IP_FAMILIES; i++)
		socket->raw[i] = socket->icmp[i] = -1;
	for (int i = 0; !err && i < IP_FAMILIES; i++) {
		socket->raw[i] = open_raw(families[i]);
		err = socket->raw[i] < 0 ? -errno : 0;
		if (!err) {
			socket->icmp[i] = icmp_socket(families[i], false);
			err = socket->icmp[i] < 0 ? socket->icmp[i] : 0;
		}
		if (err == -EAFNOSUPPORT)
			err = 0;
	}
	if (err)
		syn_socket_close(socket);
	return err;
}

void syn_socket_close(struct syn_socket *socket)
{
	for (int i = 0; i < IP_FAMILIES; i++) {
		if (socket->raw[i] >= 0)
			close(socket->raw[i]);
		if (socket->icmp[i] >= 0)
			close(socket->icmp[i]);
		socket->raw[i] = socket->icmp[i] = -1;
	}
}

/* mark 0: none. */
static int send_to(int fd, const union address *to, const uint8_t *bytes, size_t len, uint32_t mark)
{
	union address without_port = *to;
	union {
		struct cmsghdr header;
		uint8_t bytes[CMSG_SPACE(sizeof(mark))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	struct msghdr message = {.msg_name = &without_port.sa,
				 .msg_namelen = address_length(to),
				 .msg_iov = &iov,
				 .msg_iovlen = 1};

	address_set_port(&without_port, 0); /* IPv6 takes it for a protocol */
	if (mark) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(mark)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SO_MARK};
		memcpy(CMSG_DATA(&control.header), &mark, sizeof(mark));
	}
	return sendmsg(fd, &message, 0) < 0 ? -errno : 0;
}

int syn_socket_admit(const struct syn_socket *socket, const struct syn_packet *syn)
{
	return send_to(socket->raw[address_family(&syn->to)], &syn->to, syn->bytes, syn->len,
		       socket->mark);
}

/* Whom no answer reaches waits, as for a lost one. */
static void answer(int fd, const struct syn_packet *syn, const uint8_t *bytes, size_t len)
{
	const int err = send_to(fd, &syn->from, bytes, len, 0);
	char text[ADDRESS_TEXT_MAX];

	if (err)
		log_debug("cannot answer %s: %s", address_format(&syn->from, text), strerror(-err));
}

void syn_socket_reset(const struct syn_socket *socket, const struct syn_packet *syn)
{
	uint8_t bytes[SYN_ANSWER_MAX];

	answer(socket->raw[address_family(&syn->to)], syn, bytes, syn_packet_reset(syn, bytes));
}

void syn_socket_unreachable(const struct syn_socket *socket, const struct syn_packet *syn,
			    enum syn_unreachable why)
{
	uint8_t bytes[SYN_ANSWER_MAX];

	answer(socket->icmp[address_family(&syn->to)], syn, bytes,
	       syn_packet_unreachable(syn, why, bytes));
}
