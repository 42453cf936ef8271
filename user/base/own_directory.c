/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories for what only this user may put somewhere. */
#include "base/own_directory.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int own_directory_make(const char *path, mode_t mode)
{
	struct stat status;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return -EPERM;
	if (status.st_mode & (S_IWGRP | S_IWOTH) && !(status.st_mode & S_ISVTX))
		return -EACCES;
	return 0;
}

/* Where nobody but root could have made it, root has given it to a user, as systemd does with
 * RuntimeDirectory=. */
static bool is_appointed(const char *path)
{
	char parent[PATH_MAX];
	struct stat status;
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return false;
	*slash = '\0';
	return stat(parent, &status) == 0 && status.st_uid == 0 &&
	       !(status.st_mode & (S_IWGRP | S_IWOTH));
}

int own_directory_share(const char *path, mode_t mode)
{
	const int err = own_directory_make(path, mode);

	return err == -EPERM && geteuid() == 0 && is_appointed(path) ? 0 : err;
}
