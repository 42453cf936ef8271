/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker lends its flows: one large buffer, and a pool of pipes. */
#include "relay/io_buffers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/descriptors.h"

/* Reads from MPTCP sockets gain up to about this size; beyond it the second-level cache loses what
 * the write needs. */
#define BUFFER_BYTES ((size_t)256 * 1024)

/* Asked for, not required: beyond its quota an unprivileged user keeps the default of 64 KiB. */
#define PIPE_BYTES (256 * 1024)

/* Empty pipes kept for reuse. More than one is needed at a time only where targets take nothing. */
#define PIPES_KEPT 4U

int io_buffers_init(struct io_buffers *buffers)
{
	*buffers = (struct io_buffers){.buffer_size = BUFFER_BYTES};
	buffers->buffer = malloc(buffers->buffer_size);
	return buffers->buffer ? 0 : -ENOMEM;
}

static void pipe_close(struct pipe *pipe)
{
	close(pipe->read_fd);
	close(pipe->write_fd);
	free(pipe);
	descriptors_give(DESCRIPTORS_PIPE, 1);
}

void io_buffers_fini(struct io_buffers *buffers)
{
	while (buffers->pipes) {
		struct pipe *pipe = buffers->pipes;

		buffers->pipes = pipe->next;
		pipe_close(pipe);
	}
	free(buffers->buffer);
	buffers->buffer = NULL;
}

static struct pipe *pipe_open(void)
{
	struct pipe *pipe = malloc(sizeof(*pipe));
	const bool taken = pipe && descriptors_take(DESCRIPTORS_PIPE, 1);
	int fds[2];
	int size;

	if (!taken || pipe2(fds, O_NONBLOCK | O_CLOEXEC)) {
		if (taken)
			descriptors_give(DESCRIPTORS_PIPE, 1);
		free(pipe);
		return NULL;
	}
	size = fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	if (size < 0)
		size = fcntl(fds[1], F_GETPIPE_SZ);
	*pipe = (struct pipe){.read_fd = fds[0], .write_fd = fds[1], .size = (size_t)size};
	return pipe;
}

struct pipe *io_buffers_borrow_pipe(struct io_buffers *buffers)
{
	struct pipe *pipe = buffers->pipes;

	if (!pipe)
		return pipe_open();
	buffers->pipes = pipe->next;
	buffers->pipe_count--;
	return pipe;
}

void io_buffers_return_pipe(struct io_buffers *buffers, struct pipe *pipe, size_t held)
{
	if (held > 0 || buffers->pipe_count >= PIPES_KEPT) {
		pipe_close(pipe);
		return;
	}
	pipe->next = buffers->pipes;
	buffers->pipes = pipe;
	buffers->pipe_count++;
}
