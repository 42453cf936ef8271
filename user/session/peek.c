// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks at what a transparent client sends, and leaves it in its socket. */
#include "session/peek.h"

#include <errno.h>
#include <sys/socket.h>

#include "proto/server_name.h"

/* More than any browser's ClientHello. */
#define PEEK_BYTES 8192
/* When a part of it came, how often to look for the rest: readability would be told all the time.
 */
#define PEEK_AGAIN_S 0.005

enum peek_result peek_now(int fd, const struct intercept_config *config,
			  char name[HOST_NAME_MAX_BYTES + 1])
{
	uint8_t bytes[PEEK_BYTES];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	name[0] = '\0';
	if (n < 0)
		return errno == EAGAIN ? PEEK_MORE : PEEK_GONE;
	/* A client that only listens may have shut its side already. */
	if (n == 0)
		return PEEK_OTHER;
	switch (sniff_name(bytes, (size_t)n, name)) {
	case PARSE_DONE:
		return intercept_config_bypasses(config, name) ? PEEK_BYPASSED : PEEK_OTHER;
	case PARSE_MORE:
		name[0] = '\0';
		return n < PEEK_BYTES ? PEEK_MORE : PEEK_OTHER;
	default:
		name[0] = '\0';
		return PEEK_OTHER;
	}
}

/* False when more is to be waited for. */
static bool peek_try(struct peek *peek)
{
	enum peek_result result = peek_now(peek->io.fd, peek->config, peek->name);

	if (result == PEEK_MORE)
		return false;
	peek_stop(peek);
	peek->done(peek->owner, result);
	return true;
}

static void peek_on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct peek *peek = io->data;

	(void)events;
	if (peek_try(peek))
		return;
	ev_io_stop(loop, io);
	ev_timer_again(loop, &peek->again);
}

static void peek_on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	(void)peek_try(timer->data);
}

void peek_start(struct peek *peek, struct ev_loop *loop, int fd,
		const struct intercept_config *config, peek_fn *done, void *owner)
{
	*peek = (struct peek){.loop = loop, .config = config, .done = done, .owner = owner};
	ev_io_init(&peek->io, peek_on_readable, fd, EV_READ);
	ev_timer_init(&peek->again, peek_on_again, 0., PEEK_AGAIN_S);
	peek->io.data = peek;
	peek->again.data = peek;
	ev_io_start(loop, &peek->io);
}

void peek_stop(struct peek *peek)
{
	if (!peek->loop)
		return;
	ev_io_stop(peek->loop, &peek->io);
	ev_timer_stop(peek->loop, &peek->again);
}
