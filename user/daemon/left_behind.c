/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each shares the lock of a file, which ends with its process however that ends. */
#include "daemon/left_behind.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "net/run_file.h"

#define NAME "left-behind"

static int open_file(int flags)
{
	char path[PATH_MAX];

	if (run_file_path(NAME, path, sizeof(path)))
		return -1;
	return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
}

void left_behind_join(void)
{
	const int fd = open_file(O_CREAT);

	/* It stays open. */
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB))
		log_warning("the next hawserd cannot see that sessions of this one use its links");
}

bool left_behind_others(void)
{
	char path[PATH_MAX];
	const int fd = open_file(0);
	bool others;

	if (fd < 0)
		return false;
	others = flock(fd, LOCK_EX | LOCK_NB) != 0;
	if (!others && run_file_path(NAME, path, sizeof(path)) == 0)
		unlink(path);
	close(fd);
	return others;
}
