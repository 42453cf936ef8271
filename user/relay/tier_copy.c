/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tier "copy": read into the worker's buffer, write from there. A flow owns memory only for what
 * its target did not accept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accel/local.h"
#include "net/stream_io.h"
#include "relay/flow.h"

static ssize_t copy_take(struct flow *flow, struct io_buffers *buffers, size_t max)
{
	const size_t size = max < buffers->buffer_size ? max : buffers->buffer_size;
	ssize_t n;

	if (flow->sockmap) {
		n = sockmap_flow_recv(flow->sockmap, buffers->buffer, size);
	} else {
		n = stream_recv(flow->source, buffers->buffer, size);
		if (n < 0)
			n = -errno;
	}
	if (n > 0 && flow->local)
		local_client_read(flow->local, (uint64_t)n);
	if (n > 0)
		flow->held = (struct held){
			.tier = &tier_copy, .len = (size_t)n, .data = buffers->buffer};
	return n;
}

static int copy_give(struct flow *flow, struct io_buffers *buffers)
{
	struct held *held = &flow->held;

	while (held->len > 0) {
		ssize_t n = stream_send(flow->target, held->data + held->offset, held->len);

		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		held->offset += (size_t)n;
		held->len -= (size_t)n;
	}
	tier_copy.drop(flow, buffers);
	return 0;
}

static int copy_keep(struct flow *flow, struct io_buffers *buffers)
{
	struct held *held = &flow->held;
	uint8_t *own;

	(void)buffers;
	if (held->owned)
		return 0;
	own = malloc(held->len);
	if (!own)
		return -ENOMEM;
	memcpy(own, held->data + held->offset, held->len);
	held->data = own;
	held->offset = 0;
	held->owned = true;
	return 0;
}

static void copy_drop(struct flow *flow, struct io_buffers *buffers)
{
	(void)buffers;
	if (flow->held.owned)
		free(flow->held.data);
	flow->held = (struct held){0};
}

const struct tier tier_copy = {
	.take = copy_take,
	.give = copy_give,
	.keep = copy_keep,
	.drop = copy_drop,
};
