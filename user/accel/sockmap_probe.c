/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether redirecting works on this kernel, found out by doing it over loopback. */
#include "accel/sockmap_probe.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/sockmap.h"
#include "accel/sockmap_flow.h"
#include "base/clock.h"
#include "net/kernel_version.h"
#include "net/loopback.h"

/* More than the two small buffers of the target's connection take, less than the least budget. */
#define SEND_S	    1.
#define FULL_BYTES  48000U
#define SMALL_BYTES 8000

#define WINDOW_BYTES  32768
#define FIRST_SEQ     1000
#define OVERLAP_BYTES 300

/* One end of a connection that has never been set up over the wire. 0 or -errno. */
static int repair_connect(int fd, const struct sockaddr_in *peer, uint32_t send_seq,
			  uint32_t receive_seq)
{
	const struct tcp_repair_window window = {
		.snd_wl1 = receive_seq,
		.snd_wnd = WINDOW_BYTES,
		.max_window = WINDOW_BYTES,
		.rcv_wnd = WINDOW_BYTES,
		.rcv_wup = receive_seq,
	};
	const int send_queue = TCP_SEND_QUEUE;
	const int receive_queue = TCP_RECV_QUEUE;
	const int off = TCP_REPAIR_OFF_NO_WP;
	const int level = IPPROTO_TCP;

	if (setsockopt(fd, level, TCP_REPAIR_QUEUE, &send_queue, sizeof(send_queue)) ||
	    setsockopt(fd, level, TCP_QUEUE_SEQ, &send_seq, sizeof(send_seq)) ||
	    setsockopt(fd, level, TCP_REPAIR_QUEUE, &receive_queue, sizeof(receive_queue)) ||
	    setsockopt(fd, level, TCP_QUEUE_SEQ, &receive_seq, sizeof(receive_seq)) ||
	    connect(fd, (const struct sockaddr *)peer, sizeof(*peer)) ||
	    setsockopt(fd, level, TCP_REPAIR_WINDOW, &window, sizeof(window)) ||
	    setsockopt(fd, level, TCP_REPAIR, &off, sizeof(off)))
		return -errno;
	return 0;
}

/* A connection on which the first bytes that far sends are such as near has received before, as
 * after a retransmission. 0 or -errno. */
static int connection_open_overlapping(struct loopback *connection, uint32_t overlap_bytes)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct sockaddr_in addresses[2];
	int *fds[2] = {&connection->near, &connection->far};
	const int on = TCP_REPAIR_ON;
	int err;

	for (int i = 0; i < 2; i++) {
		socklen_t len = sizeof(addresses[i]);

		addresses[i] = (struct sockaddr_in){.sin_family = AF_INET};
		addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*fds[i] = socket(AF_INET, type, IPPROTO_TCP);
		if (*fds[i] < 0 || setsockopt(*fds[i], IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) ||
		    bind(*fds[i], (struct sockaddr *)&addresses[i], len) ||
		    getsockname(*fds[i], (struct sockaddr *)&addresses[i], &len))
			return -errno;
	}
	err = repair_connect(connection->near, &addresses[1], FIRST_SEQ, FIRST_SEQ + overlap_bytes);
	return err ? err : repair_connect(connection->far, &addresses[0], FIRST_SEQ, FIRST_SEQ);
}

/* The byte at an offset of what is sent; no two pieces that might be mixed up look the same. */
static uint8_t byte_at(size_t offset)
{
	return (uint8_t)(offset ^ offset >> 8);
}

/* Whether exactly the bytes from..to arrive. */
static bool receive_all(int fd, size_t from, size_t to)
{
	uint8_t bytes[4096];

	while (from < to) {
		ssize_t n;

		if (!loopback_wait(fd, POLLIN))
			return false;
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			if (from == to || bytes[i] != byte_at(from++))
				return false;
	}
	return true;
}

/* When the kernel's memory for TCP is used up, poll(2) says that there is room, and send(2) that
 * there is none. */
static bool send_all(int fd, size_t from, size_t to)
{
	const double until_s = clock_monotonic_s() + SEND_S;
	uint8_t bytes[4096];

	while (from < to) {
		size_t len = to - from < sizeof(bytes) ? to - from : sizeof(bytes);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			bytes[i] = byte_at(from + i);
		n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && !(errno == EAGAIN && clock_monotonic_s() < until_s &&
			       loopback_wait(fd, POLLOUT)))
			return false;
		from += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static const char *insert_reason(int err, int protocol)
{
	if (err != -EOPNOTSUPP)
		return strerror(-err);
	return protocol == IPPROTO_TCP ? "the kernel takes no TCP socket into a sockmap"
				       : "the kernel takes no MPTCP socket into a sockmap";
}

/* Enters, and sends what some kernels treat wrongly. first: where the bytes begin that the source
 * has not received yet. */
static int probe_bytes(struct sockmap_flow *up, const struct loopback *in,
		       const struct loopback *out, size_t first, int protocol, char *reason,
		       size_t size)
{
	int err = -EIO;

	if (first == 0 && !(send_all(in->far, 0, 1) && loopback_wait(in->near, POLLIN))) {
		snprintf(reason, size, "no bytes over loopback to try with");
		return err;
	}
	err = sockmap_flow_enter(up);
	if (err) {
		snprintf(reason, size, "%s", insert_reason(err, protocol));
		return err;
	}
	err = -EIO;
	if (first == 0 && !receive_all(out->far, 0, 1))
		snprintf(reason, size, "this kernel leaves data behind that came early");
	else if (first > 0 &&
		 !(send_all(in->far, 0, 2 * first) && receive_all(out->far, first, 2 * first)))
		snprintf(reason, size, "this kernel doubles data that was sent again");
	else if (first == 0 &&
		 !(send_all(in->far, 1, FULL_BYTES) && receive_all(out->far, 1, FULL_BYTES)))
		snprintf(reason, size, "this kernel does not resume a target that was full");
	else
		err = 0;
	return err;
}

/* One connection to another, with what comes next unread or received before. 0 or -errno. */
static int probe_pair(struct sockmap_worker *worker, int protocol, uint32_t overlap_bytes,
		      char *reason, size_t size)
{
	struct loopback in = {-1, -1};
	struct loopback out = {-1, -1};
	struct sockmap_flow up = {0};
	struct sockmap_flow down = {0};
	int err;

	if (overlap_bytes > 0)
		err = connection_open_overlapping(&in, overlap_bytes);
	else
		err = loopback_open(&in, protocol, protocol, 0);
	if (!err)
		err = loopback_open(&out, protocol, protocol, SMALL_BYTES);
	if (!err)
		err = sockmap_flow_prepare(&up, &down, worker, in.near, out.near, 0);
	if (protocol == IPPROTO_MPTCP && (err == -EPROTONOSUPPORT || err == -ENOPROTOOPT))
		snprintf(reason, size, "no MPTCP");
	else if (err)
		snprintf(reason, size, "no connection over loopback to try with: %s",
			 strerror(-err));
	else
		err = probe_bytes(&up, &in, &out, overlap_bytes, protocol, reason, size);
	sockmap_flow_release(&up);
	sockmap_flow_release(&down);
	loopback_close(&in);
	loopback_close(&out);
	return err;
}

/* By what is known of their source, and must not be found out by trying:
 * - CVE-2025-38165, a BUG in sk_psock_backlog() when a packet of many fragments is passed, and
 * bytes that it lost or sent twice, were mended in these releases of 2025-06;
 * - before 6.1 a segment that overlaps is read again and again, and before 6.4 cutting it may hit a
 * trap; the 6.1 below has that fix. */
static bool kernel_can_be_tried(char *reason, size_t size)
{
	static const struct kernel_version fixed[] = {
		{6, 1, 142}, {6, 6, 94}, {6, 12, 34}, {6, 15, 3}, {6, 16, 0}};
	const struct kernel_version kernel = kernel_version_get();
	char text[KERNEL_VERSION_TEXT_MAX];

	if (kernel_version_has(kernel, fixed, sizeof(fixed) / sizeof(fixed[0])))
		return true;
	snprintf(reason, size,
		 "kernel %s has CVE-2025-38165; expected 6.1.142, 6.6.94, 6.12.34, 6.15.3, 6.16",
		 kernel_version_format(kernel, text));
	return false;
}

static int probe_protocol(struct sockmap_worker *worker, int protocol, char *reason, size_t size)
{
	int err;

	reason[0] = '\0';
	if (!kernel_can_be_tried(reason, size))
		return -EOPNOTSUPP;
	err = probe_pair(worker, protocol, 0, reason, size);
	if (!err && protocol == IPPROTO_TCP)
		err = probe_pair(worker, protocol, OVERLAP_BYTES, reason, size);
	return err;
}

void sockmap_probe(struct sockmap *sockmap)
{
	static const int protocols[] = {
		[SOCKMAP_TCP] = IPPROTO_TCP, [SOCKMAP_MPTCP] = IPPROTO_MPTCP};
	struct sockmap_worker *worker = sockmap_worker_to_try(sockmap);
	char reason[sizeof(((struct feature_state *)NULL)->reason)];

	for (unsigned int i = SOCKMAP_TCP; worker && i <= SOCKMAP_MPTCP; i++)
		sockmap_set_tried(sockmap, i,
				  probe_protocol(worker, protocols[i], reason, sizeof(reason))
					  ? reason
					  : NULL);
}
