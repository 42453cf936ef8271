/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/control_ask.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A hawserd that is well answers at once. */
#define ASK_TIMEOUT_S	 1
#define ASK_ANSWER_BYTES 65536

/* Reads a line into out, of which the caller has written nothing. False: there is none in time. */
static bool read_line(int fd, char *out, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		ssize_t n = recv(fd, out + len, size - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		out[len] = '\0';
		if (out[len - 1] == '\n')
			return true;
	}
	return false;
}

struct json_object *control_ask(const char *path, const char *question)
{
	const struct timeval timeout = {.tv_sec = ASK_TIMEOUT_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const size_t len = strlen(question);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[ASK_ANSWER_BYTES];
	struct json_object *parsed = NULL;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	/* The latter also for connect(), whose queue may be full. */
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) &&
	    !connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    send(fd, question, len, MSG_NOSIGNAL) == (ssize_t)len &&
	    read_line(fd, answer, sizeof(answer)))
		parsed = json_tokener_parse(answer);
	if (fd >= 0)
		close(fd);
	return parsed;
}
