/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper's listening sockets, each with a name, from one hawserd to the next. */
#ifndef HAWSER_DAEMON_KEPT_FDS_H
#define HAWSER_DAEMON_KEPT_FDS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>

#define KEPT_FDS_MAX  1024
#define KEPT_NAME_MAX 96

struct kept_fds {
	size_t count;
	struct {
		int fd;
		char name[KEPT_NAME_MAX];
	} list[KEPT_FDS_MAX];
};

/* Takes what this process was started with (LISTEN_FDS). */
void kept_fds_inherit(struct kept_fds *kept);

/* Does what a message says that begins with FDSTORE=1 or FDSTOREREMOVE=1 (sd_notify(3)); takes fds
 * over, and closes those that it has already. */
void kept_fds_note(struct kept_fds *kept, const char *text, const int *fds, size_t count);

/* A descriptor that is free, and above all that a child is to get. */
int kept_fds_above(const struct kept_fds *kept);

/* In a child that is about to become hawserd: puts all where LISTEN_FDS says that they are. Returns
 * the first number after them. */
int kept_fds_pass(const struct kept_fds *kept);

/* A message and what came with it. False when the sender is gone. */
bool kept_fds_receive(int fd, char *text, size_t size, int *fds, size_t *count);

#endif
