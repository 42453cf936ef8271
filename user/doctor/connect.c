/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's own connections to exits and destinations. */
#include "doctor/connect.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <sodium.h>

#include "base/clock.h"
#include "net/mptcp.h"
#include "net/socket.h"
#include "net/socket_reset.h"
#include "proto/hop_message.h"

/* A SYN, and the one that is sent again after a second. */
#define CONNECT_S 2.5
#define ANSWER_S  2.

/* 0 or -errno. */
static int wait_for(int fd, short events, double seconds)
{
	const double end_s = clock_monotonic_s() + seconds;
	struct pollfd ready = {.fd = fd, .events = events};

	for (;;) {
		const double left_s = end_s - clock_monotonic_s();
		const int count = poll(&ready, 1, left_s > 0 ? (int)(left_s * 1000) + 1 : 0);

		if (count > 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count == 0 && left_s <= 0)
			return -ETIMEDOUT;
	}
}

int doctor_connect(const union address *source, const char *device, const union address *target,
		   bool want_mptcp, double *took_s)
{
	const double started_s = clock_monotonic_s();
	int fd = mptcp_socket(target->sa.sa_family, want_mptcp);
	int err = 0;

	if (fd < 0)
		return fd;
	if (*device &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)))
		err = -errno;
	if (!err && source->sa.sa_family != AF_UNSPEC)
		err = socket_bind_source(fd, source);
	if (!err && connect(fd, &target->sa, address_length(target)))
		err = -errno;
	if (err == -EINPROGRESS) {
		err = wait_for(fd, POLLOUT, CONNECT_S);
		err = err ? err : -socket_error(fd);
	}
	*took_s = clock_monotonic_s() - started_s;
	if (!err)
		return fd;
	socket_reset(fd);
	return err;
}

/* Exactly size bytes, or -errno. */
static int receive(int fd, uint8_t *out, size_t size)
{
	size_t len = 0;

	while (len < size) {
		const int err = wait_for(fd, POLLIN, ANSWER_S);
		ssize_t n;

		if (err)
			return err;
		n = recv(fd, out + len, size - len, 0);
		if (n <= 0)
			return n == 0 ? -ECONNRESET : -errno;
		len += (size_t)n;
	}
	return 0;
}

int doctor_greet(int fd)
{
	static const uint8_t greeting[] = {5, 1, HOP_METHOD};
	uint8_t answer[2];

	if (send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL) != sizeof(greeting))
		return -errno;
	return receive(fd, answer, sizeof(answer));
}

static enum cause read_answers(int fd, struct hop_answers *answers)
{
	uint8_t message[HOP_MESSAGE_MAX];

	for (;;) {
		const int err = receive(fd, message, hop_answers_size(answers));

		if (err)
			return err == -ETIMEDOUT ? CAUSE_EXIT_SILENT : CAUSE_EXIT_BROKEN;
		switch (hop_answers_read(answers, message)) {
		case HOP_EVENT_REPLIED:
			return answers->cause;
		case HOP_EVENT_DECLINED:
			return hop_cause_of(answers->status);
		case HOP_EVENT_INVALID:
			return CAUSE_EXIT_BROKEN;
		default:
			break;
		}
	}
}

bool doctor_ask_exit(int fd, const struct token *token, const char *exit_name, enum cause *cause,
		     double *took_s)
{
	struct hop_order order = {
		.token = token, .exit_name = exit_name, .time_ms = clock_now_ms()};
	const double started_s = clock_monotonic_s();
	uint8_t head[HOP_HEAD_MAX];
	struct hop_answers answers;
	size_t len;

	randombytes_buf(order.nonce, sizeof(order.nonce));
	len = hop_head_write(head, &order);
	hop_answers_init(&answers, &order);
	*cause = send(fd, head, len, MSG_NOSIGNAL) == (ssize_t)len ? read_answers(fd, &answers)
								   : CAUSE_EXIT_BROKEN;
	*took_s = clock_monotonic_s() - started_s;
	sodium_memzero(&answers, sizeof(answers));
	return *cause == CAUSE_NONE;
}
