/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at what a transparent client sends, and leaves it in its socket, to find out
 * which server it wants by its name, and whether that is bypassed. */
#ifndef HAWSER_SESSION_PEEK_H
#define HAWSER_SESSION_PEEK_H

#include "config/intercept_config.h"
#include "relay/hangup.h"

enum peek_result {
	PEEK_MORE,     /* the name may still come */
	PEEK_OTHER,    /* not bypassed, or there is no name */
	PEEK_BYPASSED, /* it is one of bypass_domain */
	PEEK_GONE,     /* the client is: its error has been taken from the socket */
};

typedef void peek_fn(void *owner, enum peek_result result);

struct peek {
	struct hangup *hangup; /* NULL: never started */
	struct hangup_watch more;
	int fd;
	const struct intercept_config *config;
	char name[HOST_NAME_MAX_BYTES + 1]; /* of the server; "": none, or not known yet */
	peek_fn *done;
	void *owner;
};

/* What can be told now. Fills name with that of the server, or "". */
enum peek_result peek_now(int fd, const struct intercept_config *config,
			  char name[HOST_NAME_MAX_BYTES + 1]);

/* Calls done once, from the loop, with anything but PEEK_MORE. config must live until then or until
 * peek_stop(). Has no deadline. peek is zeroed. */
void peek_start(struct peek *peek, struct hangup *hangup, int fd,
		const struct intercept_config *config, peek_fn *done, void *owner);

/* For any peek, started or not. */
void peek_stop(struct peek *peek);

#endif
