/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw sockets that have this host receive a first packet again, or answer it. */
#ifndef HAWSER_NET_SYN_SOCKET_H
#define HAWSER_NET_SYN_SOCKET_H

#include "net/syn_packet.h"

/* How many file descriptors it takes. */
#define SYN_SOCKET_FDS 4

struct syn_socket {
	uint32_t mark;
	int raw[IP_FAMILIES];
	int icmp[IP_FAMILIES]; /* all -1 where the kernel lacks a family */
};

/* mark: of packets that are received again. 0 or -errno. */
int syn_socket_open(struct syn_socket *socket, uint32_t mark);
void syn_socket_close(struct syn_socket *socket);

/* It comes in again, by the loopback interface and with the mark, for which there must be a local
 * route. 0 or -errno. */
int syn_socket_admit(const struct syn_socket *socket, const struct syn_packet *syn);

/* The client gets what a closed port, or a router, answers. */
void syn_socket_reset(const struct syn_socket *socket, const struct syn_packet *syn);
void syn_socket_unreachable(const struct syn_socket *socket, const struct syn_packet *syn,
			    enum syn_unreachable why);

#endif
