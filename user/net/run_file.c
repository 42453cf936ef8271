/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of this network namespace beside the control socket. */
#include "net/run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/control_socket.h"
#include "base/own_directory.h"
#include "net/socket.h"

/* By the cookie of the network namespace, which is never used again before a reboot. Before Linux
 * 5.14 there is none, and one file for all will do. */
int run_file_path(const char *name, char *out, size_t size)
{
	char control[PATH_MAX];
	int err;

	control_default_path(control, sizeof(control));
	*strrchr(control, '/') = '\0';
	err = own_directory_share(control, 0755);
	/* Also for who says what went wrong. */
	if ((size_t)snprintf(out, size, "%s/%s.%" PRIu64, control, name, socket_netns_cookie()) >=
	    size)
		return -ENAMETOOLONG;
	return err;
}

/* What root makes in a directory of another user is that user's, whose hawserd is to have it, too.
 */
static void give_to_owner(int fd, const char *path)
{
	char directory[PATH_MAX];
	struct stat status;
	struct stat owner;

	snprintf(directory, sizeof(directory), "%s", path);
	*strrchr(directory, '/') = '\0';
	if (geteuid() == 0 && stat(directory, &owner) == 0 && owner.st_uid != 0 &&
	    fstat(fd, &status) == 0 && status.st_uid == 0 &&
	    status.st_nlink == 1 /* no file of root's that was linked here */)
		(void)!fchown(fd, owner.st_uid, owner.st_gid);
}

/* The file may be removed by its holder between our open() and our lock. */
int run_file_lock(const char *path, enum run_file_lock how)
{
	const bool make = how != RUN_FILE_FIND && how != RUN_FILE_FIND_TRY;
	const int try = how == RUN_FILE_TRY || how == RUN_FILE_FIND_TRY ? LOCK_NB : 0;
	const int kind = how == RUN_FILE_SHARE ? LOCK_SH : LOCK_EX;

	for (;;) {
		struct stat status;
		int err;
		int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0), 0600);

		if (fd < 0)
			return -errno;
		give_to_owner(fd, path);
		if (flock(fd, kind | try) == 0 && fstat(fd, &status) == 0) {
			if (status.st_nlink > 0)
				return fd;
			close(fd);
			continue;
		}
		err = -errno;
		close(fd);
		return err;
	}
}

int run_file_write(int fd, const char *text, size_t len)
{
	/* In one piece; the rest of a longer text before is behind "end". */
	const ssize_t n = pwrite(fd, text, len, 0);

	if (n != (ssize_t)len)
		return n < 0 ? -errno : -ENOSPC;
	return ftruncate(fd, (off_t)len) ? -errno : 0;
}
