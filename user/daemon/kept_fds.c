/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/kept_fds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/notify.h"
#include "daemon/inherited.h"

static bool is_kept(const struct kept_fds *kept, int fd)
{
	struct stat its;
	struct stat other;

	if (fstat(fd, &its))
		return true;
	for (size_t i = 0; i < kept->count; i++)
		if (fstat(kept->list[i].fd, &other) == 0 && other.st_ino == its.st_ino &&
		    other.st_dev == its.st_dev)
			return true;
	return false;
}

static void add(struct kept_fds *kept, int fd, const char *name, size_t len)
{
	if (is_kept(kept, fd) || kept->count == KEPT_FDS_MAX) {
		close(fd);
		return;
	}
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	kept->list[kept->count].fd = fd;
	snprintf(kept->list[kept->count].name, KEPT_NAME_MAX, "%.*s", (int)len, name);
	kept->count++;
}

void kept_fds_inherit(struct kept_fds *kept)
{
	const char *name = getenv("LISTEN_FDNAMES");
	const int count = inherited_number();

	for (int i = 0; i < count; i++) {
		const size_t len = name ? strcspn(name, ":") : 0;

		add(kept, INHERITED_FIRST_FD + i, name ? name : "", len);
		name = name && name[len] ? name + len + 1 : NULL;
	}
}

static void drop(struct kept_fds *kept, const char *name, size_t len)
{
	size_t left = 0;

	for (size_t i = 0; i < kept->count; i++) {
		if (strncmp(kept->list[i].name, name, len) == 0 && !kept->list[i].name[len])
			close(kept->list[i].fd);
		else
			kept->list[left++] = kept->list[i];
	}
	kept->count = left;
}

void kept_fds_note(struct kept_fds *kept, const char *text, const int *fds, size_t count)
{
	const char *name = strstr(text, "FDNAME=");
	size_t len;

	name = name ? name + strlen("FDNAME=") : "";
	len = strcspn(name, "\n");
	len = len < KEPT_NAME_MAX ? len : KEPT_NAME_MAX - 1;
	if (strncmp(text, "FDSTORE=1", strlen("FDSTORE=1")) == 0)
		for (size_t i = 0; i < count; i++)
			add(kept, fds[i], name, len);
	else
		drop(kept, name, len);
}

int kept_fds_above(const struct kept_fds *kept)
{
	return INHERITED_FIRST_FD + (int)kept->count + 1;
}

int kept_fds_pass(const struct kept_fds *kept)
{
	int moved[KEPT_FDS_MAX];
	char number[16];
	int next = INHERITED_FIRST_FD;

	for (size_t i = 0; i < kept->count; i++)
		moved[i] = fcntl(kept->list[i].fd, F_DUPFD_CLOEXEC, kept_fds_above(kept));
	for (size_t i = 0; i < kept->count; i++)
		if (moved[i] >= 0 && dup2(moved[i], next) >= 0)
			next++;
	snprintf(number, sizeof(number), "%d", next - INHERITED_FIRST_FD);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%ld", (long)getpid());
	setenv("LISTEN_PID", number, 1);
	unsetenv("LISTEN_FDNAMES");
	return next;
}

bool kept_fds_receive(int fd, char *text, size_t size, int *fds, size_t *count)
{
	char control[CMSG_SPACE(sizeof(int) * NOTIFY_FDS_MAX)];
	struct iovec part = {.iov_base = text, .iov_len = size - 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	const ssize_t len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = len > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	*count = 0;
	text[len > 0 ? len : 0] = '\0';
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
		*count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(head), *count * sizeof(int));
	}
	return len > 0;
}
