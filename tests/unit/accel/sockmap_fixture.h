/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the tests of what moves bytes in the kernel: connections over loopback, and a stream of bytes
 * that tells at every offset what must be there. */
#ifndef HAWSER_ACCEL_FIXTURE_H
#define HAWSER_ACCEL_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "accel/sockmap.h"

/* As tune.h has it for hawserd. */
#define FIXTURE_BUDGET_BYTES (256U << 10)

#define FIXTURE_DEADLINE_MS 20000

static inline double fixture_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline void fixture_sleep_us(unsigned int us)
{
	const struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L};

	nanosleep(&pause, NULL);
}

/* Fills with the bytes that belong at offset of stream number seed. */
static inline void fixture_fill(uint8_t *bytes, size_t len, uint64_t offset, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t at = offset + i;
		uint64_t mixed = (at / 8 + seed * 977) * 0x9e3779b97f4a7c15ULL;

		bytes[i] = (uint8_t)(mixed >> (at % 8 * 8));
	}
}

static inline bool fixture_check(const uint8_t *bytes, size_t len, uint64_t offset, uint64_t seed)
{
	static __thread uint8_t expected[64 * 1024];

	for (size_t done = 0; done < len;) {
		size_t n = len - done < sizeof(expected) ? len - done : sizeof(expected);

		fixture_fill(expected, n, offset + done, seed);
		if (memcmp(bytes + done, expected, n) != 0)
			return false;
		done += n;
	}
	return true;
}

/* Two ends of a connection over loopback, blocking. protocol: IPPROTO_TCP or IPPROTO_MPTCP.
 * Whether there is one. */
static inline bool fixture_connect(int protocol, int *accepted, int *connected)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	int one = 1;

	if (listener < 0)
		return false;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	assert_true(*connected >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(connect(*connected, (struct sockaddr *)&address, len), 0);
	*accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*accepted >= 0);
	setsockopt(*accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(*connected, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(listener);
	return true;
}

static inline void fixture_repair(int fd, const struct sockaddr_in *peer, uint32_t send_seq,
				  uint32_t receive_seq)
{
	const struct tcp_repair_window window = {.snd_wl1 = receive_seq,
						 .snd_wnd = 32768,
						 .max_window = 32768,
						 .rcv_wnd = 32768,
						 .rcv_wup = receive_seq};
	const int queues[] = {TCP_SEND_QUEUE, TCP_RECV_QUEUE};
	const uint32_t seqs[] = {send_seq, receive_seq};
	const int off = TCP_REPAIR_OFF_NO_WP;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queues[i], 4), 0);
		assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seqs[i], 4), 0);
	}
	assert_int_equal(connect(fd, (const struct sockaddr *)peer, sizeof(*peer)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)),
			 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)), 0);
}

/* As fixture_connect(), but of the first bytes that connected sends, accepted has received some
 * before. */
static inline void fixture_connect_overlapping(int *accepted, int *connected,
					       uint32_t overlap_bytes)
{
	struct sockaddr_in addresses[2];
	int *fds[2] = {accepted, connected};
	const int on = TCP_REPAIR_ON;

	for (int i = 0; i < 2; i++) {
		socklen_t len = sizeof(addresses[i]);

		addresses[i] = (struct sockaddr_in){.sin_family = AF_INET};
		addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
		assert_true(*fds[i] >= 0);
		assert_int_equal(setsockopt(*fds[i], IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)), 0);
		assert_int_equal(bind(*fds[i], (struct sockaddr *)&addresses[i], len), 0);
		assert_int_equal(getsockname(*fds[i], (struct sockaddr *)&addresses[i], &len), 0);
	}
	fixture_repair(*accepted, &addresses[1], 5000, UINT32_MAX - 500 + overlap_bytes);
	fixture_repair(*connected, &addresses[0], UINT32_MAX - 500, 5000);
}

static inline bool fixture_wait(int fd, short events, int ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	return poll(&poll_fd, 1, ms) == 1;
}

/* Sends the bytes of the stream from offset on; fails the test when they are not taken. */
static inline void fixture_send(int fd, size_t len, uint64_t offset, uint64_t seed)
{
	uint8_t *bytes = malloc(len);

	assert_non_null(bytes);
	fixture_fill(bytes, len, offset, seed);
	for (size_t done = 0; done < len;) {
		ssize_t n;

		assert_true(fixture_wait(fd, POLLOUT, FIXTURE_DEADLINE_MS));
		n = send(fd, bytes + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		assert_true(n > 0 || errno == EAGAIN);
		done += n > 0 ? (size_t)n : 0;
	}
	free(bytes);
}

/* Receives exactly len bytes and checks them. */
static inline void fixture_expect(int fd, size_t len, uint64_t offset, uint64_t seed)
{
	static uint8_t bytes[256 * 1024];

	while (len > 0) {
		ssize_t n;

		assert_true(fixture_wait(fd, POLLIN, FIXTURE_DEADLINE_MS));
		n = recv(fd, bytes, len < sizeof(bytes) ? len : sizeof(bytes), MSG_DONTWAIT);
		assert_true(n > 0);
		assert_true(fixture_check(bytes, (size_t)n, offset, seed));
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
}

static inline void fixture_expect_nothing(int fd, int ms)
{
	assert_false(fixture_wait(fd, POLLIN, ms));
}

static inline int fixture_unread(int fd)
{
	int bytes = 0;

	assert_int_equal(ioctl(fd, SIOCINQ, &bytes), 0);
	return bytes;
}

static inline int fixture_unacknowledged(int fd)
{
	int bytes = 0;

	assert_int_equal(ioctl(fd, SIOCOUTQ, &bytes), 0);
	return bytes;
}

/* The reason why there is nothing to test, or NULL. */
static inline const char *fixture_refused(struct sockmap *sockmap)
{
	if (sockmap_feature(sockmap, SOCKMAP_PROGRAM)->available)
		return NULL;
	return sockmap_feature(sockmap, SOCKMAP_PROGRAM)->reason;
}

#endif
