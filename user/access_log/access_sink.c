/* SPDX-License-Identifier: GPL-2.0-or-later */
/* syslog(3) would wait for a daemon that does not read, so its datagrams are sent from here. */
#include "access_log/access_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define WORD   "syslog"
#define SOCKET "/dev/log"

bool access_sink_is_syslog(const char *where)
{
	const size_t len = strlen(WORD);

	return strncmp(where, WORD, len) == 0 && (where[len] == '\0' || where[len] == ':');
}

static int open_syslog(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		const int err = -errno;

		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

/* Without blocking: a FIFO that nobody reads is an error. */
static int open_file(const char *path)
{
	int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

int access_sink_open(struct access_sink *sink, const char *where)
{
	const char *path = where + strlen(WORD);

	sink->is_syslog = access_sink_is_syslog(where);
	if (sink->is_syslog)
		sink->fd = open_syslog(*path == ':' ? path + 1 : SOCKET);
	else
		sink->fd = open_file(where);
	return sink->fd < 0 ? sink->fd : 0;
}

void access_sink_close(struct access_sink *sink)
{
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = -1;
}

/* As syslog(3) does: RFC 3164 section 4.1, without the host's name. */
static long send_line(int fd, const char *line, size_t len)
{
	char head[64];
	const time_t now = (time_t)(clock_calendar_ms() / 1000);
	struct tm local = {0};
	size_t head_len;
	struct iovec parts[2];
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	localtime_r(&now, &local);
	head_len = (size_t)snprintf(head, sizeof(head), "<%d>", LOG_DAEMON | LOG_INFO);
	head_len += strftime(head + head_len, 20, "%h %e %T ", &local);
	head_len += (size_t)snprintf(head + head_len, sizeof(head) - head_len,
				     "hawserd[%d]: ", (int)getpid());
	parts[0] = (struct iovec){.iov_base = head, .iov_len = head_len};
	parts[1] = (struct iovec){.iov_base = (void *)line, .iov_len = len - 1};
	return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : (long)len;
}

long access_sink_write(const struct access_sink *sink, const char *lines, size_t len)
{
	size_t done = 0;
	long n;

	if (!sink->is_syslog) {
		n = write(sink->fd, lines, len);
		return n < 0 ? -errno : n;
	}
	while (done < len) {
		const char *end = memchr(lines + done, '\n', len - done);

		n = send_line(sink->fd, lines + done, (size_t)(end + 1 - lines) - done);
		if (n < 0)
			return done > 0 ? (long)done : n;
		done += (size_t)n;
	}
	return (long)done;
}
