/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every relayed socket has once it is connected: no Nagle delay, urgent data in line,
 * keepalive, a bound on unsent bytes. Options that an older kernel lacks are left out; its status
 * names them (net/mptcp_options.h). */
#ifndef HAWSER_NET_SOCKET_OPTIONS_H
#define HAWSER_NET_SOCKET_OPTIONS_H

#include <stdint.h>

struct socket_options {
	uint32_t unsent_bytes;
	uint32_t keepalive_idle_s;
	uint32_t keepalive_interval_s;
};

/* Sets of options. */
#define SOCKET_OPTIONS_ALL   0x7fU
#define SOCKET_OPTIONS_BOUND 0x03U /* those that socket_bound() has set */

/* A listener hands on what it has to the sockets that it accepts, as far as
 * socket_options_missing() does not tell otherwise. */
void socket_options_set(int fd, const struct socket_options *options, unsigned int which);

/* Which of all a socket lacks. */
unsigned int socket_options_missing(int fd, const struct socket_options *options);

#endif
