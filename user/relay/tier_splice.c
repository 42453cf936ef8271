/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tier "splice": splice(2) through a pipe that is borrowed only while it holds bytes, so the
 * payload never enters user space. */
#include <errno.h>
#include <fcntl.h>

#include "relay/flow.h"

/* Less than this is cheaper to copy than its pages are to pass on: 64 B by 8 %, and 32 KiB is
 * dearer by 40 (run on 6.18). What is next is taken for as much as the last. */
#define WORTH_BYTES (16U * 1024)

static ssize_t splice_take(struct flow *flow, struct io_buffers *buffers, size_t max)
{
	struct pipe *pipe = flow->last_take < WORTH_BYTES ? NULL : io_buffers_borrow_pipe(buffers);
	ssize_t n;
	int err;

	/* Likewise where none is to be had: the session does not suffer. */
	if (!pipe)
		return tier_copy.take(flow, buffers, max);
	n = splice(flow->source, NULL, pipe->write_fd, NULL, max < pipe->size ? max : pipe->size,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	err = errno;
	if (n > 0) {
		flow->held = (struct held){.tier = &tier_splice, .len = (size_t)n, .pipe = pipe};
		return n;
	}
	io_buffers_return_pipe(buffers, pipe, 0);
	/* At an urgent byte splice(2) says that nothing is there (EAGAIN), or, behind the end of
	 * the stream, that all was read (0). recv(2) takes that byte in its place. */
	return n == 0 || err == EAGAIN ? tier_copy.take(flow, buffers, max) : -err;
}

static int splice_give(struct flow *flow, struct io_buffers *buffers)
{
	struct held *held = &flow->held;

	while (held->len > 0) {
		/* Exactly what is there: asking for more makes the kernel wait for more, as with
		 * MSG_MORE. */
		ssize_t n = splice(held->pipe->read_fd, NULL, flow->target, NULL, held->len,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n == 0)
			return -EPIPE; /* never seen; without it a miscount would spin */
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		held->len -= (size_t)n;
	}
	tier_splice.drop(flow, buffers);
	return 0;
}

static int splice_keep(struct flow *flow, struct io_buffers *buffers)
{
	(void)flow;
	(void)buffers;
	return 0;
}

static void splice_drop(struct flow *flow, struct io_buffers *buffers)
{
	io_buffers_return_pipe(buffers, flow->held.pipe, flow->held.len);
	flow->held = (struct held){0};
}

const struct tier tier_splice = {
	.take = splice_take,
	.give = splice_give,
	.keep = splice_keep,
	.drop = splice_drop,
};
