/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of this network namespace beside the control socket: what outlives a process, but not a
 * reboot. */
#ifndef HAWSER_NET_RUN_FILE_H
#define HAWSER_NET_RUN_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Where such a file is; its directory is made. 0 or -errno. */
int run_file_path(const char *name, char *out, size_t size);

enum run_file_lock {
	RUN_FILE_TRY,	   /* make it; -EWOULDBLOCK when another process holds it */
	RUN_FILE_MAKE,	   /* make it, wait until it is free */
	RUN_FILE_FIND,	   /* -ENOENT when it is not there, wait until it is free */
	RUN_FILE_FIND_TRY, /* -ENOENT when it is not there, -EWOULDBLOCK */
	RUN_FILE_SHARE,	   /* make it, wait until nobody holds it but who shares it, too */
};

/* A descriptor that holds the file until it is closed, or -errno. Only a holder may remove it. */
int run_file_lock(const char *path, enum run_file_lock how);

/* Replaces what is in it, so that a crash leaves the old text or the new one before the last line,
 * "end". 0 or -errno. */
int run_file_write(int fd, const char *text, size_t len);

#endif
