/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/inherited.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/notify.h"

#define INHERITED_MAX 1024

static struct {
	union address address;
	int fd;
} inherited[INHERITED_MAX];
static size_t inherited_count;

static bool is_listening(int fd, union address *address)
{
	socklen_t len = sizeof(*address);
	socklen_t int_len = sizeof(int);
	int listening = 0;
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &int_len) == 0 && listening &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_len) == 0 && type == SOCK_STREAM &&
	       getsockname(fd, &address->sa, &len) == 0 &&
	       (address->sa.sa_family == AF_INET || address->sa.sa_family == AF_INET6);
}

static void take(int fd)
{
	union address address = {0};

	if (!is_listening(fd, &address) || inherited_count == INHERITED_MAX) {
		log_warning("descriptor %d of LISTEN_FDS is no listening TCP socket", fd);
		close(fd);
		return;
	}
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	inherited[inherited_count].address = address;
	inherited[inherited_count++].fd = fd;
}

/* "listen-127.0.0.1.1080": a colon would end a name. */
void inherited_tell(const char *format, const union address *address, const int *fds, size_t count)
{
	char text[ADDRESS_TEXT_MAX];
	char line[ADDRESS_TEXT_MAX + 64];

	address_format(address, text);
	for (char *c = text; *c; c++)
		if (*c == ':')
			*c = '.';
	snprintf(line, sizeof(line), format, text);
	notify_send(line, fds, count);
}

int inherited_number(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *fds = getenv("LISTEN_FDS");

	return pid && fds && strtol(pid, NULL, 10) == (long)getpid() ? (int)strtol(fds, NULL, 10)
								     : 0;
}

void inherited_take(void)
{
	const int count = inherited_number();

	for (int i = 0; i < count; i++)
		take(INHERITED_FIRST_FD + i);
	/* Not for programs that we start. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

size_t inherited_find(const union address *address, int *fds, size_t size)
{
	size_t found = 0;
	size_t kept = 0;

	for (size_t i = 0; i < inherited_count; i++) {
		if (found < size && inherited[i].fd >= 0 &&
		    address_port(&inherited[i].address) == address_port(address) &&
		    address_same_ip(&inherited[i].address, address))
			fds[found++] = inherited[i].fd;
		else
			inherited[kept++] = inherited[i];
	}
	inherited_count = kept;
	return found;
}

void inherited_close(void)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < inherited_count; i++) {
		log_warning("a socket on %s, which this hawserd was started with, is not wanted: "
			    "no listener, or fewer workers",
			    address_format(&inherited[i].address, text));
		close(inherited[i].fd);
		inherited[i].fd = -1;
	}
}

void inherited_forget(void)
{
	for (size_t i = 0; i < inherited_count; i++)
		inherited_tell("FDSTOREREMOVE=1\nFDNAME=listen-%s", &inherited[i].address, NULL, 0);
	inherited_count = 0;
}
