/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that all relayed sockets have alike. */
#include "net/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#define KEEPALIVE_PROBES 4
#define OPTIONS		 7

static const struct {
	int level;
	int name;
} names[OPTIONS] = {
	/* SOCKET_OPTIONS_BOUND */
	{SOL_SOCKET, SO_OOBINLINE},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
	/* The rest */
	{IPPROTO_TCP, TCP_NODELAY},
	{SOL_SOCKET, SO_KEEPALIVE},
	{IPPROTO_TCP, TCP_KEEPIDLE},
	{IPPROTO_TCP, TCP_KEEPINTVL},
	{IPPROTO_TCP, TCP_KEEPCNT},
};

_Static_assert(SOCKET_OPTIONS_ALL == (1U << OPTIONS) - 1, "a bit for each");

struct values {
	int each[OPTIONS];
};

static struct values values_of(const struct socket_options *options)
{
	return (struct values){{1, (int)options->unsent_bytes, 1, 1, (int)options->keepalive_idle_s,
				(int)options->keepalive_interval_s, KEEPALIVE_PROBES}};
}

void socket_options_set(int fd, const struct socket_options *options, unsigned int which)
{
	const struct values values = values_of(options);

	for (size_t i = 0; i < OPTIONS; i++)
		if (which & 1U << i)
			(void)setsockopt(fd, names[i].level, names[i].name, &values.each[i],
					 sizeof(values.each[i]));
}

unsigned int socket_options_missing(int fd, const struct socket_options *options)
{
	const struct values values = values_of(options);
	unsigned int missing = 0;

	for (size_t i = 0; i < OPTIONS; i++) {
		int value = 0;
		socklen_t len = sizeof(value);

		if (getsockopt(fd, names[i].level, names[i].name, &value, &len) ||
		    value != values.each[i])
			missing |= 1U << i;
	}
	return missing;
}
