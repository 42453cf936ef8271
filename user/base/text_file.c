/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a small text file whole. */
#include "base/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

char *text_file_read(const char *path, size_t max, size_t *len)
{
	char *text = NULL;
	size_t used = 0;
	ssize_t got;
	int err = 0;
	int fd;

	/* Non-blocking for the open() only: a FIFO that nobody writes must not hang the daemon, but
	 * one that somebody fills shall be read to its end. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	(void)fcntl(fd, F_SETFL, 0);
	/* One byte to see that there is more than max, or for the newline, and one for the NUL. */
	text = malloc(max + 2);
	if (!text) {
		err = ENOMEM;
		goto out;
	}
	do {
		got = read(fd, text + used, max + 1 - used);
		if (got > 0)
			used += (size_t)got;
	} while ((got > 0 && used <= max) || (got < 0 && errno == EINTR));
	if (got < 0)
		err = errno;
	else if (used > max)
		err = EFBIG;
	else if (used == 0 || text[used - 1] != '\n')
		text[used++] = '\n';
	text[used] = '\0';
	*len = used;
out:
	close(fd);
	if (err) {
		if (text)
			sodium_memzero(text, used);
		free(text);
		errno = err;
		return NULL;
	}
	return text;
}
