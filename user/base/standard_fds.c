/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/standard_fds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void standard_fds_open(void)
{
	/* The other way around: to read or write fails, as it did. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(EXIT_FAILURE);
}
