/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories for what only this user may put somewhere. */
#include "base/own_directory.h"

#include <errno.h>
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
