/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/control_ask.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A hawserd that is well answers at once. */
#define ASK_TIMEOUT_S 1
/* Hundreds of times what a status takes. */
#define ANSWER_MAX_BYTES ((size_t)4 * 1024 * 1024)

/* A line, malloc'ed; NULL: there is none in time. */
static char *read_line(int fd)
{
	size_t size = 4096;
	size_t len = 0;
	char *line = malloc(size);

	while (line) {
		const ssize_t n = recv(fd, line + len, size - 1 - len, 0);
		char *more;

		if (n <= 0)
			break;
		len += (size_t)n;
		line[len] = '\0';
		if (line[len - 1] == '\n')
			return line;
		if (len < size - 1)
			continue;
		size *= 2;
		more = size <= ANSWER_MAX_BYTES ? realloc(line, size) : NULL;
		if (!more)
			break;
		line = more;
	}
	free(line);
	return NULL;
}

struct json_object *control_ask(const char *path, const char *question)
{
	const struct timeval timeout = {.tv_sec = ASK_TIMEOUT_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const size_t len = strlen(question);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *answer = NULL;
	struct json_object *parsed = NULL;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	/* The latter also for connect(), whose queue may be full. */
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) &&
	    !connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    send(fd, question, len, MSG_NOSIGNAL) == (ssize_t)len && (answer = read_line(fd)))
		parsed = json_tokener_parse(answer);
	free(answer);
	if (fd >= 0)
		close(fd);
	return parsed;
}
