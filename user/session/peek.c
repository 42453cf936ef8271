/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at what a transparent client sends, and leaves it in its socket. */
#include "session/peek.h"

#include <errno.h>
#include <sys/socket.h>

#include "proto/server_name.h"

/* More than any browser's ClientHello. */
#define PEEK_BYTES 8192

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
	switch (server_name_name(bytes, (size_t)n, name)) {
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

static void peek_on_more(void *owner, bool dead)
{
	struct peek *peek = owner;
	enum peek_result result = peek_now(peek->fd, peek->config, peek->name);

	(void)dead;
	if (result == PEEK_MORE)
		return;
	peek_stop(peek);
	peek->done(peek->owner, result);
}

void peek_start(struct peek *peek, struct hangup *hangup, int fd,
		const struct intercept_config *config, peek_fn *done, void *owner)
{
	*peek = (struct peek){
		.hangup = hangup, .fd = fd, .config = config, .done = done, .owner = owner};
	/* Readability would be told all the time. */
	hangup_add(hangup, &peek->more, fd, HANGUP_MORE, peek_on_more, peek);
}

void peek_stop(struct peek *peek)
{
	if (peek->hangup)
		hangup_remove(peek->hangup, &peek->more);
}
