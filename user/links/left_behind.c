/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each shares the lock of a file, which ends with its process however that ends. */
#include "links/left_behind.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/log.h"
#include "net/run_file.h"

#define NAME "left-behind"

void left_behind_join(void)
{
	char path[PATH_MAX];

	/* What holds it stays open. */
	if (run_file_path(NAME, path, sizeof(path)) || run_file_lock(path, RUN_FILE_SHARE) < 0)
		log_warning("the next hawserd cannot see that sessions of this one use its links");
}

bool left_behind_others(void)
{
	char path[PATH_MAX];
	int fd;

	if (run_file_path(NAME, path, sizeof(path)))
		return false;
	fd = run_file_lock(path, RUN_FILE_FIND_TRY);
	if (fd < 0)
		return fd == -EWOULDBLOCK || fd == -EMFILE || fd == -ENFILE;
	unlink(path);
	close(fd);
	return false;
}
