/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Positions in the two streams of a connected socket, as its kernel counts them. */
#include "accel/tcp_position.h"

#include <errno.h>
#include <linux/mptcp.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

/* As <netinet/tcp.h> has it, which <linux/tcp.h> keeps out. */
#define ESTABLISHED 1

/* What takes several calls is asked again when something moved meanwhile. Segments come some
 * microseconds apart, as far as the calls take. */
#define TRIES 16

/* Older kernels know less of what *info holds: the rest is zero. */
static int info_get(int fd, int level, int option, void *info, socklen_t len)
{
	memset(info, 0, len);
	return getsockopt(fd, level, option, info, &len) ? -errno : 0;
}

static int tcp_info_get(int fd, struct tcp_info *info)
{
	return info_get(fd, IPPROTO_TCP, TCP_INFO, info, sizeof(*info));
}

static int received_bytes(int fd, uint64_t *bytes)
{
	struct tcp_info info;
	int err = tcp_info_get(fd, &info);

	*bytes = info.tcpi_bytes_received;
	return err;
}

static int repair_set(int fd, int option, int value)
{
	return setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) ? -errno : 0;
}

/* The number of the next byte of a queue: received, or to be sent. */
static int queue_seq(int fd, int queue, uint32_t *seq)
{
	socklen_t len = sizeof(*seq);
	int reuse = 0;
	int err;

	/* Going in and out of repair clears it. */
	getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &len);
	err = repair_set(fd, TCP_REPAIR, TCP_REPAIR_ON);
	if (err)
		return err;
	err = repair_set(fd, TCP_REPAIR_QUEUE, queue);
	if (!err && getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, seq, &len))
		err = -errno;
	repair_set(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	return err;
}

/* The sequence number that the socket expects next. */
static int expected_seq(int fd, uint32_t *seq)
{
	return queue_seq(fd, TCP_RECV_QUEUE, seq);
}

/* Counts without taking. A peek at all of it would end at an urgent byte; SIOCINQ would do, but not
 * once the socket is in a map: newer kernels then count another queue. */
static int unread_bytes(int fd, uint32_t *bytes)
{
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	uint8_t byte;
	struct iovec first = {.iov_base = &byte, .iov_len = sizeof(byte)};
	struct msghdr message = {.msg_iov = &first,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int unread = 0;
	int on = 1;
	ssize_t n;

	if (setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on)))
		return -errno;
	n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN)
		return -errno;
	on = 0;
	setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on));
	if (n > 0 && control.head.cmsg_type != TCP_CM_INQ)
		return -EOPNOTSUPP;
	if (n > 0)
		memcpy(&unread, CMSG_DATA(&control.head), sizeof(unread));
	*bytes = (uint32_t)unread;
	return 0;
}

/* Both of one moment: how many bytes have been received, and what else is asked for. */
static int at_once(int fd, int (*ask)(int fd, uint32_t *value), uint64_t *received, uint32_t *value)
{
	uint64_t after = 0;

	for (int i = 0; i < TRIES; i++) {
		int err = received_bytes(fd, received);

		if (!err)
			err = ask(fd, value);
		if (!err)
			err = received_bytes(fd, &after);
		if (err)
			return err;
		if (*received == after)
			return 0;
	}
	return -EAGAIN;
}

int tcp_position_origin(int fd, uint32_t *origin)
{
	uint64_t received = 0;
	uint32_t seq = 0;
	int err = at_once(fd, expected_seq, &received, &seq);

	*origin = seq - (uint32_t)received;
	return err;
}

int tcp_position_read(int fd, uint64_t *taken, uint32_t *waiting)
{
	uint64_t received = 0;
	int err = at_once(fd, unread_bytes, &received, waiting);

	*taken = err ? 0 : received - *waiting;
	return err;
}

static int queued_bytes(int fd, uint32_t *bytes)
{
	int queued;

	if (ioctl(fd, SIOCINQ, &queued))
		return -errno;
	*bytes = (uint32_t)queued;
	return 0;
}

int tcp_position_taken(int fd, uint32_t *seq)
{
	uint64_t received = 0;
	uint32_t origin = 0;
	uint32_t queued = 0;
	int err = tcp_position_origin(fd, &origin);

	if (!err)
		err = at_once(fd, queued_bytes, &received, &queued);
	*seq = origin + (uint32_t)received - queued;
	return err;
}

int tcp_position_next(int fd, uint32_t *next, uint32_t *acknowledged)
{
	int unsent;
	int queued;
	int err;

	/* Going into repair takes for sent what was about to be. */
	if (ioctl(fd, SIOCOUTQNSD, &unsent) || ioctl(fd, SIOCOUTQ, &queued))
		return -errno;
	err = unsent ? -EAGAIN : queue_seq(fd, TCP_SEND_QUEUE, next);
	*acknowledged = *next - (uint32_t)queued;
	return err;
}

bool tcp_position_is_clear(int fd)
{
	struct tcp_info info;
	uint32_t queued = 0;

	/* The end last: it may come behind the bytes. */
	return !queued_bytes(fd, &queued) && queued == 0 && !tcp_info_get(fd, &info) &&
	       info.tcpi_state == ESTABLISHED;
}

static int mptcp_info_get(int fd, struct mptcp_info *info)
{
	return info_get(fd, SOL_MPTCP, MPTCP_INFO, info, sizeof(*info));
}

int tcp_position_acknowledged(int fd, bool mptcp, uint64_t *acknowledged)
{
	struct mptcp_info multipath;
	struct tcp_info info;
	int err;

	/* Refused once it has fallen back; TCP_INFO then is that of all its bytes. */
	if (mptcp && !mptcp_info_get(fd, &multipath)) {
		*acknowledged = multipath.mptcpi_snd_una;
		return 0;
	}
	err = tcp_info_get(fd, &info);
	*acknowledged = info.tcpi_bytes_acked;
	return err;
}

int tcp_position_written(int fd, bool mptcp, enum tcp_position_error error, uint64_t *written)
{
	if (mptcp) {
		struct mptcp_info info;
		int err = mptcp_info_get(fd, &info);

		*written = info.mptcpi_write_seq;
		return err;
	}
	for (int i = 0; i < TRIES; i++) {
		struct tcp_info info;
		uint64_t acked;
		int queued;
		int err = tcp_info_get(fd, &info);

		if (err)
			return err;
		acked = info.tcpi_bytes_acked;
		if (ioctl(fd, SIOCOUTQ, &queued))
			return -errno;
		/* What is acknowledged between the two counts in neither. */
		*written = acked + (uint64_t)queued;
		if (error == TCP_POSITION_AT_MOST)
			return 0;
		err = tcp_info_get(fd, &info);
		if (err)
			return err;
		if (info.tcpi_bytes_acked == acked)
			return 0;
	}
	return -EAGAIN;
}
