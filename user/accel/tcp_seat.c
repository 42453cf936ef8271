/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts a connected TCP socket at another place of its two streams. */
#include "accel/tcp_seat.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Numbers of options as of RFC 9293 and 7323, and the kernel's for TCP_REPAIR_OPTIONS. */
#define OPTION_SEGMENT	 2
#define OPTION_SCALE	 3
#define OPTION_SELECTIVE 4
#define OPTION_STAMPS	 8
#define OPTIONS_MAX	 4

/* TCPI_OPT_USEC_TS of Linux 6.7: time stamps count microseconds. */
#define OPTION_MICROSECONDS 64

/* A resting socket is this far from where its peers are, so that nothing that goes astray is of
 * its window. */
#define ASIDE (1U << 30)

static int number_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

static int repair_set(int fd, int option, int value)
{
	return number_set(fd, IPPROTO_TCP, option, value);
}

static int number_get(int fd, int level, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, option, &value, &len);
	return value;
}

static int segment_get(int fd, struct tcp_seat *seat)
{
	socklen_t len = sizeof(seat->segment_bytes);
	int err = repair_set(fd, TCP_REPAIR, TCP_REPAIR_ON);

	if (err)
		return err;
	/* In repair it is what the peer said, not what is used now. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &seat->segment_bytes, &len))
		err = -errno;
	repair_set(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
	/* Going in and out of repair clears it. */
	number_set(fd, SOL_SOCKET, SO_REUSEADDR, seat->reuse);
	return err;
}

int tcp_seat_read(int fd, struct tcp_seat *seat)
{
	struct tcp_info info = {0};
	socklen_t info_len = sizeof(info);
	socklen_t own_len = sizeof(seat->own);
	socklen_t peer_len = sizeof(seat->peer);

	*seat = (struct tcp_seat){0};
	if (getsockname(fd, &seat->own.sa, &own_len) ||
	    getpeername(fd, &seat->peer.sa, &peer_len) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len))
		return -errno;
	if (info.tcpi_options & OPTION_MICROSECONDS)
		return -EOPNOTSUPP;
	seat->scales = info.tcpi_options & TCPI_OPT_WSCALE;
	seat->selective = info.tcpi_options & TCPI_OPT_SACK;
	seat->stamps = info.tcpi_options & TCPI_OPT_TIMESTAMPS;
	seat->ecn = info.tcpi_options & TCPI_OPT_ECN;
	seat->own_scale = info.tcpi_rcv_wscale;
	seat->peer_scale = info.tcpi_snd_wscale;
	seat->reuse = number_get(fd, SOL_SOCKET, SO_REUSEADDR);
	/* Of a socket of IPv6 it is the same one. */
	seat->transparent = number_get(fd, IPPROTO_IP, IP_TRANSPARENT);
	seat->alive = number_get(fd, SOL_SOCKET, SO_KEEPALIVE);
	return segment_get(fd, seat);
}

static int queue_set(int fd, int queue, uint32_t seq)
{
	int err = repair_set(fd, TCP_REPAIR_QUEUE, queue);

	if (!err && setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, sizeof(seq)))
		err = -errno;
	return err;
}

static int options_set(int fd, const struct tcp_seat *seat)
{
	struct tcp_repair_opt options[OPTIONS_MAX];
	socklen_t count = 0;

	options[count++] = (struct tcp_repair_opt){OPTION_SEGMENT, seat->segment_bytes};
	if (seat->scales)
		options[count++] = (struct tcp_repair_opt){
			OPTION_SCALE, seat->peer_scale | (uint32_t)seat->own_scale << 16};
	if (seat->selective)
		options[count++] = (struct tcp_repair_opt){OPTION_SELECTIVE, 0};
	if (seat->stamps)
		options[count++] = (struct tcp_repair_opt){OPTION_STAMPS, 0};
	return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options,
			  count * (socklen_t)sizeof(options[0]))
		       ? -errno
		       : 0;
}

static int window_set(int fd, const struct tcp_place *place)
{
	const struct tcp_repair_window window = {
		.snd_wl1 = place->expected,
		.snd_wnd = place->peer_window,
		.max_window = place->peer_window,
		.rcv_wnd = place->own_window,
		.rcv_wup = place->expected,
	};

	return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)) ? -errno : 0;
}

/* Leaves the socket in repair. */
static int seat_take(int fd, const struct tcp_seat *seat, const struct tcp_place *place)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int err = repair_set(fd, TCP_REPAIR, TCP_REPAIR_ON);
	int old;
	socklen_t len = sizeof(old);

	if (err)
		return err;
	/* It says nothing to the peer in repair, but leaves an error behind. */
	if (connect(fd, &nobody, sizeof(nobody)))
		return -errno;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &old, &len);
	/* EINVAL: it is bound, since it was seated for the first time. */
	if (bind(fd, &seat->own.sa, address_length(&seat->own)) && errno != EINVAL)
		return -errno;
	/* As an option after the connect it would be known, but not used. */
	err = repair_set(fd, TCP_MAXSEG, (int)seat->segment_bytes);
	if (!err)
		err = queue_set(fd, TCP_SEND_QUEUE, place->next);
	if (!err)
		err = queue_set(fd, TCP_RECV_QUEUE, place->expected);
	if (!err && connect(fd, &seat->peer.sa, address_length(&seat->peer)))
		err = -errno;
	if (!err)
		err = repair_set(fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
	if (!err)
		err = options_set(fd, seat);
	return err;
}

int tcp_seat_rest(int fd, const struct tcp_seat *seat, const struct tcp_place *last)
{
	const struct tcp_place aside = {.expected = last->expected + ASIDE,
					.next = last->next + ASIDE};

	/* It would find its peer dead. */
	number_set(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
	return seat_take(fd, seat, &aside);
}

int tcp_seat_resume(int fd, const struct tcp_seat *seat, const struct tcp_place *place)
{
	int err = seat_take(fd, seat, place);

	if (!err && seat->stamps)
		/* An odd one would mean microseconds (Linux 6.7). */
		err = repair_set(fd, TCP_TIMESTAMP, (int)((place->stamp + 1) & ~1U));
	return err ? err : window_set(fd, place);
}

int tcp_seat_wake(int fd, const struct tcp_seat *seat)
{
	const int err = repair_set(fd, TCP_REPAIR, TCP_REPAIR_OFF);

	number_set(fd, SOL_SOCKET, SO_REUSEADDR, seat->reuse);
	number_set(fd, SOL_SOCKET, SO_KEEPALIVE, seat->alive);
	return err;
}

double tcp_seat_patience_s(int fd)
{
	return (double)number_get(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
	       (double)number_get(fd, IPPROTO_TCP, TCP_KEEPCNT) *
		       (double)number_get(fd, IPPROTO_TCP, TCP_KEEPINTVL);
}

int tcp_seat_clock(int fd, uint32_t *stamp)
{
	socklen_t len = sizeof(*stamp);

	return getsockopt(fd, IPPROTO_TCP, TCP_TIMESTAMP, stamp, &len) ? -errno : 0;
}
