/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded, it makes fsync(2), and write(2) to the end of a log, last for as long as the file that
 * SLOW_DISK names is there; two minutes at most. A file with ".log" behind its name says that a
 * write to a log waits. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for_disk(void)
{
	const char *path = getenv("SLOW_DISK");

	for (int i = 0; i < 12000 && path && access(path, F_OK) == 0; i++)
		usleep(10000);
}

int fsync(int fd)
{
	wait_for_disk();
	return (int)syscall(SYS_fsync, fd);
}

static void say_that_a_log_waits(void)
{
	const char *path = getenv("SLOW_DISK");
	char name[4096];
	int fd;

	if (!path || access(path, F_OK) < 0)
		return;
	snprintf(name, sizeof(name), "%s.log", path);
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

ssize_t write(int fd, const void *data, size_t len)
{
	if (fd > STDERR_FILENO && fcntl(fd, F_GETFL) & O_APPEND) {
		say_that_a_log_waits();
		wait_for_disk();
	}
	return syscall(SYS_write, fd, data, len);
}
