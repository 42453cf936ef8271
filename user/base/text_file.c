/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small text files, read and replaced whole; and what editors and web pages do to one. */
#include "base/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/own_directory.h"

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

/* Windows leaves out the mark at times; no text of ours begins with two such pairs. */
static bool is_utf16(const char *text, size_t len)
{
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		return true;
	return len >= 4 && ((text[0] && !text[1] && text[2] && !text[3]) ||
			    (!text[0] && text[1] && !text[2] && text[3]));
}

const char *text_file_fault(const char *text, size_t len, unsigned int *line)
{
	*line = 1;
	if (is_utf16(text, len))
		return "the file is UTF-16; expected UTF-8";
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return "the file begins with a byte order mark; expected UTF-8 without one";
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] == '\r' && text[i + 1] != '\n')
			return "a carriage return alone; expected lines that end in a line feed";
		*line += text[i] == '\n';
	}
	return NULL;
}

const char *text_typography(const char *at, size_t *size)
{
	static const char quote[] = "typographic quote";
	static const char dash[] = "typographic dash";
	static const char space[] = "space that is not ASCII";
	static const char invisible[] = "invisible character";
	/* UTF-8: what is common to some characters, and the range of their last byte. */
	static const struct {
		const char *begins;
		unsigned char first, last;
		const char *what;
	} marks[] = {
		{"\xc2", 0xa0, 0xa0, space},	     {"\xc2", 0xab, 0xab, quote},
		{"\xc2", 0xad, 0xad, invisible},     {"\xc2", 0xbb, 0xbb, quote},
		{"\xe2\x80", 0x80, 0x8a, space},     {"\xe2\x80", 0x8b, 0x8f, invisible},
		{"\xe2\x80", 0x90, 0x95, dash},	     {"\xe2\x80", 0x98, 0x9f, quote},
		{"\xe2\x80", 0xaf, 0xaf, space},     {"\xe2\x80", 0xb9, 0xba, quote},
		{"\xe2\x81", 0xa0, 0xa0, invisible}, {"\xe2\x88", 0x92, 0x92, dash},
		{"\xe3\x80", 0x80, 0x80, space},     {"\xef\xbb", 0xbf, 0xbf, invisible},
		{"\xef\xbc", 0x82, 0x82, quote},     {"\xef\xbc", 0x87, 0x87, quote},
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		const size_t len = strlen(marks[i].begins);

		if (strncmp(at, marks[i].begins, len) == 0 &&
		    (unsigned char)at[len] >= marks[i].first &&
		    (unsigned char)at[len] <= marks[i].last) {
			*size = len + 1;
			return marks[i].what;
		}
	}
	return NULL;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t len = write(fd, text, left);

		if (len < 0)
			return -errno;
		text += len;
		left -= (size_t)len;
	}
	return fsync(fd) ? -errno : 0;
}

/* Beside the file, lest it be on another disk; by a name that nobody else uses. */
static int name_temporary(const char *path, char temporary[PATH_MAX])
{
	return snprintf(temporary, PATH_MAX, "%s.hawser-new", path) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

void text_file_sweep(const char *path)
{
	char temporary[PATH_MAX];

	if (name_temporary(path, temporary) == 0)
		unlink(temporary);
}

int text_file_swap(const char *path, mode_t mode, const struct stat *like, const char *text)
{
	char temporary[PATH_MAX];
	int err = name_temporary(path, temporary);
	int fd;

	if (err)
		return err;
	text_file_sweep(path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	if (like && (fchown(fd, like->st_uid, like->st_gid) || fchmod(fd, like->st_mode & 07777)))
		err = -errno;
	if (!err)
		err = write_all(fd, text);
	close(fd);
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

int text_file_replace(const char *directory, const char *name, mode_t mode, const char *text)
{
	char path[PATH_MAX];
	int err;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
		return -ENAMETOOLONG;
	err = own_directory_make(directory, 0755);
	return err ? err : text_file_swap(path, mode, NULL, text);
}
