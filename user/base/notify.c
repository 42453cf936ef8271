/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void send_by(int fd, struct sockaddr_un *to, socklen_t to_len, const char *text,
		    const int *fds, size_t count)
{
	char control[CMSG_SPACE(sizeof(int) * NOTIFY_FDS_MAX)] = {0};
	struct iovec part = {.iov_base = (void *)text, .iov_len = strlen(text)};
	struct msghdr message = {
		.msg_name = to, .msg_namelen = to_len, .msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (count > 0 && count <= NOTIFY_FDS_MAX) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(head), fds, sizeof(int) * count);
	}
	while (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
		;
}

void notify_send(const char *text, const int *fds, size_t count)
{
	const char *keeper = getenv(NOTIFY_KEEPER);
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len;
	int fd;

	if (keeper) {
		send_by((int)strtol(keeper, NULL, 10), NULL, 0, text, fds, count);
		return;
	}
	len = path ? strlen(path) : 0;
	if (len < 2 || len >= sizeof(to.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	send_by(fd, &to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len), text, fds,
		count);
	close(fd);
}

bool notify_is_heard(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

/* Twice as often as need be, as sd_watchdog_enabled(3) advises. A keeper passes it on, whoever's
 * number the variable has. */
double notify_watchdog_s(void)
{
	const char *us = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (!us || (pid && !getenv(NOTIFY_KEEPER) && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return strtod(us, NULL) / 1e6 / 2;
}
