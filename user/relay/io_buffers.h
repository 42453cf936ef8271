/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker lends its flows for the time of a wake-up: one large buffer, and a pool of pipes.
 */
#ifndef HAWSER_RELAY_IO_BUFFERS_H
#define HAWSER_RELAY_IO_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

struct pipe {
	int read_fd;
	int write_fd;
	size_t size; /* bytes it takes at most; fewer when fragments are small */
	struct pipe *next;
};

struct io_buffers {
	uint8_t *buffer;
	size_t buffer_size;
	struct pipe *pipes; /* empty ones, ready to be lent */
	unsigned int pipe_count;
};

/* 0 or -ENOMEM. */
int io_buffers_init(struct io_buffers *buffers);
void io_buffers_fini(struct io_buffers *buffers);

/* An empty pipe, non-blocking; NULL when there is none to be had. */
struct pipe *io_buffers_borrow_pipe(struct io_buffers *buffers);

/* Gives a pipe back; one that still holds bytes is closed. held is that number. */
void io_buffers_return_pipe(struct io_buffers *buffers, struct pipe *pipe, size_t held);

#endif
