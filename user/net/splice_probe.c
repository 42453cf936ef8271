/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What splice(2) does with pages that a socket has received or is given, found out over loopback: a
 * page on its way is changed, and whoever sees the change has the page itself, not a copy. */
#include "net/splice_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/loopback.h"

#define SENT	'a'
#define CHANGED 'b'

struct trial {
	struct loopback connection;
	int in[2]; /* a pipe with the page for the sender */
	int out[2];
	uint8_t *page;
	size_t page_bytes;
};

static int trial_open(struct trial *trial, int protocol)
{
	*trial = (struct trial){
		.in = {-1, -1}, .out = {-1, -1}, .page_bytes = (size_t)sysconf(_SC_PAGESIZE)};
	/* A copy of what MPTCP sends is all that arrives; from a plain sender the page does. */
	int err = loopback_open(&trial->connection, IPPROTO_TCP, protocol, 0);

	trial->page = mmap(NULL, trial->page_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (trial->page == MAP_FAILED)
		return -ENOMEM;
	memset(trial->page, SENT, trial->page_bytes);
	if (!err &&
	    (pipe2(trial->in, O_CLOEXEC | O_NONBLOCK) || pipe2(trial->out, O_CLOEXEC | O_NONBLOCK)))
		err = -errno;
	return err;
}

static void trial_close(const struct trial *trial)
{
	struct loopback connection = trial->connection;

	loopback_close(&connection);
	for (int i = 0; i < 2; i++) {
		if (trial->in[i] >= 0)
			close(trial->in[i]);
		if (trial->out[i] >= 0)
			close(trial->out[i]);
	}
	if (trial->page != MAP_FAILED)
		munmap(trial->page, trial->page_bytes);
}

static int pass(int from, int to, size_t bytes)
{
	const ssize_t n = splice(from, NULL, to, NULL, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	return n > 0 ? 0 : n == 0 ? -EPIPE : -errno;
}

/* The first byte that arrives, or -errno. */
static int trial_run(const struct trial *trial, enum splice_direction direction)
{
	const struct iovec page = {.iov_base = trial->page, .iov_len = trial->page_bytes};
	const bool from_socket = direction == SPLICE_FROM_SOCKET;
	const int sender = from_socket ? trial->connection.near : trial->connection.far;
	const int receiver = from_socket ? trial->connection.far : trial->connection.near;
	uint8_t byte;
	ssize_t n;
	int err;

	if (vmsplice(trial->in[1], &page, 1, SPLICE_F_NONBLOCK) < 0)
		return -errno;
	err = pass(trial->in[0], sender, trial->page_bytes);
	if (!err && !loopback_wait(receiver, POLLIN))
		err = -ETIMEDOUT;
	if (!err && from_socket)
		err = pass(receiver, trial->out[1], trial->page_bytes);
	if (err)
		return err;
	*(volatile uint8_t *)trial->page = CHANGED;
	n = read(from_socket ? trial->out[0] : receiver, &byte, sizeof(byte));
	if (n != sizeof(byte))
		return n < 0 ? -errno : -EPIPE;
	return byte;
}

bool splice_probe(int protocol, enum splice_direction direction, char *reason, size_t size)
{
	struct trial trial;
	int seen = trial_open(&trial, protocol);

	if (seen)
		snprintf(reason, size, "no connection over loopback to try with: %s",
			 strerror(-seen));
	else if ((seen = trial_run(&trial, direction)) < 0)
		snprintf(reason, size, "the kernel refuses: %s", strerror(-seen));
	else if (seen != CHANGED)
		snprintf(reason, size, "the kernel copies");
	trial_close(&trial);
	return seen == CHANGED;
}
