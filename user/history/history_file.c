/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history/history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own_directory.h"
#include "base/text_file.h"
#include "history/history_text.h"

#define FILE_NAME "history"
/* Of its own, as the file is replaced. */
#define LOCK_NAME "history.lock"
/* Beyond what we write. */
#define FILE_MAX_BYTES ((size_t)4 * 1024 * 1024)

/* A descriptor or -errno. */
static int take_lock(const char *directory)
{
	char path[PATH_MAX];
	int err;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/" LOCK_NAME, directory) >= sizeof(path))
		return -ENAMETOOLONG;
	err = own_directory_make(directory, 0755);
	if (err)
		return err;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int history_file_read(const char *directory, struct history *history)
{
	char path[PATH_MAX];
	unsigned int line;
	size_t len;
	char *text;
	int err;

	if ((size_t)snprintf(path, sizeof(path), "%s/" FILE_NAME, directory) >= sizeof(path))
		return -ENAMETOOLONG;
	text = text_file_read(path, FILE_MAX_BYTES, &len);
	if (!text)
		return errno == ENOENT ? 0 : -errno;
	err = history_text_read(history, text, &line);
	if (!err && line > 0)
		log_warning("history: %s: line %u makes no sense; what is behind it is lost", path,
			    line);
	free(text);
	return err;
}

static int replace(const char *directory, const struct history *history)
{
	char *text = history_text_write(history);
	int err = text ? text_file_replace(directory, FILE_NAME, 0600, text) : -ENOMEM;

	free(text);
	return err;
}

int history_file_check(const char *directory)
{
	const int lock = take_lock(directory);
	struct history *read;
	int err;

	if (lock >= 0)
		close(lock);
	else if (lock != -EWOULDBLOCK)
		return lock;
	read = history_new();
	err = read ? history_file_read(directory, read) : -ENOMEM;
	history_free(read);
	return err;
}

int history_file_add(const char *directory, const struct history *more)
{
	const int lock = take_lock(directory);
	struct history *whole;
	int err;

	if (lock < 0)
		return lock;
	whole = history_new();
	err = whole ? history_file_read(directory, whole) : -ENOMEM;
	if (!err)
		err = history_merge(whole, more);
	/* It shall not be replaced by less than it has. */
	if (!err)
		err = replace(directory, whole);
	history_free(whole);
	close(lock);
	return err;
}
