/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options and ends of one stream socket, the same for TCP and MPTCP. */
#ifndef HAWSER_NET_SOCKET_H
#define HAWSER_NET_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

/* Before connect() or listen(), which hands it on: bounds what the kernel holds of a stream whose
 * reader is slow, on either side. Autotuning would go up to tcp_rmem[2] (32 MiB on 6.18), and a
 * socket that fell back to TCP has a second send queue, which only listens to what was set before.
 *
 * The receive buffer stays as it is for good. Later would be too late to set it: the window's scale
 * and its bound follow from the size at the handshake (tcp_select_initial_window(),
 * tcp_init_buffer_space()), MPTCP cannot be told otherwise, and it stalls for good when a buffer is
 * made smaller than what was offered (run on 6.18). The first window is half of it, and that
 * matters, too: a sender with two MPTCP subflows that runs into the end of a 64 KiB window may send
 * wrong bytes (run on 6.18; see docs/kernel-notes.md).
 *
 * Where unsent bytes cannot be bounded, the send buffer is given half of receive_bytes.
 *
 * Needs CAP_NET_ADMIN; without it autotuning stays, since net.core.rmem_max would make too small a
 * receive buffer. */
void socket_bound(int fd, uint32_t receive_bytes, uint32_t unsent_bytes);

/* Whether it has a peer, now. */
bool socket_is_connected(int fd);

/* Takes and clears the pending error (SO_ERROR): 0 or a positive errno. */
int socket_error(int fd);

/* Has the socket connect from this IP address, which need not be one of this host, and any port. 0
 * or -errno; -EPERM without CAP_NET_ADMIN and CAP_NET_RAW. */
int socket_bind_foreign(int fd, const union address *address);

/* Likewise, a socket may then take packets for any address. */
int socket_set_transparent(int fd, int family, bool transparent);

/* Has the socket listen on an address that no interface has yet. 0 or -errno. */
int socket_set_freebind(int fd, int family);

/* The local address; AF_UNSPEC if there is none. */
void socket_local_address(int fd, union address *out);

/* Of the socket, whichever descriptor leads to it; 0 before Linux 4.12. */
uint64_t socket_cookie(int fd);

/* Binds a socket that will connect to this address, its port being chosen with the connection, so
 * that two connections may share one. Where the kernel cannot wait for that, they share one only
 * when none is left, and connect() says EADDRNOTAVAIL if they lead to the same peer. 0 or -errno.
 */
int socket_bind_source(int fd, const union address *source);

/* TCP Fast Open (RFC 7413), where net.ipv4.tcp_fastopen and the peer allow it; else nothing
 * changes. Before listen(): takes what comes with a SYN. Before connect(), which then returns at
 * once if the peer has given out a cookie: the first send() goes with the SYN, and recv() fails as
 * connect() would have. */
void socket_take_early(int fd);
void socket_send_early(int fd);

/* Of a connected socket: what went with the SYN did not arrive, or the answer to it, so that it
 * took a retransmission, a second as a rule. */
bool socket_early_lost(int fd);

/* Smoothed round-trip time in microseconds by TCP_INFO; 0 if unknown. */
uint32_t socket_rtt_us(int fd);

/* As seen from the receiving end: the larger of the above and the receiver's own estimate, since
 * who only receives has nothing acknowledged to measure by. Microseconds; 0 if unknown. */
uint32_t socket_receive_rtt_us(int fd);

/* Bytes of the stream that TCP has received, read or not, by TCP_INFO; its end may count as one. 0
 * if unknown. Of the first subflow only, so of no use while MPTCP is spoken. */
uint64_t socket_received_bytes(int fd);

/* Bytes given to the socket that its peer has not acknowledged, the end of the stream as one; 0 if
 * unknown. After a reset it stays as it was. */
int socket_unacknowledged(int fd);

/* For an MPTCP socket this holds for all its subflows. 0 or -errno. */
int socket_set_congestion(int fd, const char *name);

/* Of this network namespace, never used again before a reboot; 0 before Linux 5.14. */
uint64_t socket_netns_cookie(void);

#endif
