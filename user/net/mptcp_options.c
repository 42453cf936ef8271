/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which options that hawserd sets this kernel's MPTCP sockets refuse, and what is done without. */
#include "net/mptcp_options.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* SO_OOBINLINE is not among them: MPTCP refuses it, and does what it says. */
static const struct mptcp_option options[] = {
	{"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, "small messages may wait for acknowledgements",
	 true},
	{"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT,
	 "send buffers have a fixed size, which a slow reader may fill", false},
	{"IP_BIND_ADDRESS_NO_PORT", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT,
	 "connections by one link share ports only when none is left", false},
	{"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE,
	 "a peer that vanished is noticed after net.ipv4.tcp_keepalive_time", true},
	{"TCP_FASTOPEN", IPPROTO_TCP, TCP_FASTOPEN,
	 "connections by TCP to an exit here take one more round trip", false},
	{"TCP_CONGESTION", IPPROTO_TCP, TCP_CONGESTION, "the setting congestion has no effect",
	 true},
	{"IP_TRANSPARENT", IPPROTO_IP, IP_TRANSPARENT, "transparent listeners take only TCP",
	 false},
	{"IP_FREEBIND", IPPROTO_IP, IP_FREEBIND,
	 "listeners on addresses that are not there yet take only TCP", false},
};

_Static_assert(sizeof(options) / sizeof(options[0]) == MPTCP_OPTIONS_MAX, "all may be refused");

static bool is_refused(int fd, const struct mptcp_option *option)
{
	static const char reno[] = "reno"; /* every kernel has it */
	const int one = 1;
	const bool is_name = option->option == TCP_CONGESTION && option->level == IPPROTO_TCP;
	const void *value = is_name ? (const void *)reno : &one;
	const socklen_t len = is_name ? sizeof(reno) : sizeof(one);

	/* Another error is about rights, or the value. */
	return setsockopt(fd, option->level, option->option, value, len) &&
	       (errno == EOPNOTSUPP || errno == ENOPROTOOPT);
}

size_t mptcp_options_try(const struct mptcp_option *refused[MPTCP_OPTIONS_MAX])
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	size_t count = 0;

	for (size_t i = 0; fd >= 0 && i < MPTCP_OPTIONS_MAX; i++)
		if (is_refused(fd, &options[i]))
			refused[count++] = &options[i];
	if (fd >= 0)
		close(fd);
	return count;
}
