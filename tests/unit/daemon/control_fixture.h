/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket, served and asked in one thread: the tests turn the loop by hand. */
#ifndef HAWSER_CONTROL_FIXTURE_H
#define HAWSER_CONTROL_FIXTURE_H

#include "daemon/control.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/control_socket.h"

#define DEADLINE_S 60
#define BIG_BYTES  ((size_t)8 << 20)
#define ROUNDS	   20 /* of the loop, to show that nothing more happens */

struct fixture {
	char base[64];
	char directory[80];
	char path[100];
	struct ev_loop *loop;
	struct control *control;
	unsigned int answered;
	char *line; /* of fixture_receive() */
};

static inline struct json_object *answer(void *context, const char *command,
					 struct json_object *request)
{
	struct fixture *fixture = context;
	struct json_object *object;

	assert_string_equal(json_object_get_string(json_object_object_get(request, "command")),
			    command);
	fixture->answered++;
	if (strcmp(command, "none") == 0)
		return NULL;
	object = json_object_new_object();
	if (strcmp(command, "big") == 0) {
		char *text = malloc(BIG_BYTES + 1);

		assert_non_null(text);
		for (size_t i = 0; i < BIG_BYTES; i++)
			text[i] = (char)('a' + i % 23);
		text[BIG_BYTES] = '\0';
		json_object_object_add(object, "big", json_object_new_string(text));
		free(text);
	} else {
		json_object_object_add(object, "echo", json_object_new_string(command));
	}
	return object;
}

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	snprintf(fixture->base, sizeof(fixture->base), "/tmp/hawser-control-XXXXXX");
	assert_non_null(mkdtemp(fixture->base));
	snprintf(fixture->directory, sizeof(fixture->directory), "%s/run", fixture->base);
	snprintf(fixture->path, sizeof(fixture->path), "%s/control.sock", fixture->directory);
	fixture->loop = ev_loop_new(EVFLAG_AUTO);
	assert_non_null(fixture->loop);
	*state = fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	control_close(fixture->control);
	unlink(fixture->path);
	rmdir(fixture->directory);
	assert_int_equal(rmdir(fixture->base), 0);
	ev_loop_destroy(fixture->loop);
	free(fixture->line);
	free(fixture);
	return 0;
}

static inline void fixture_open(struct fixture *fixture)
{
	fixture->control = control_open(fixture->loop, fixture->path, answer, fixture);
	assert_non_null(fixture->control);
}

static inline void fixture_turn(struct fixture *fixture)
{
	for (int i = 0; i < ROUNDS; i++)
		ev_run(fixture->loop, EVRUN_NOWAIT);
}

static inline struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

static inline int client_connect(const struct fixture *fixture)
{
	struct sockaddr_un address = address_of(fixture->path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void client_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next line without its newline, or "" when hawserd closed. Peeks first, so that what follows
 * the line stays in the socket. */
static inline const char *fixture_receive(struct fixture *fixture, int fd)
{
	size_t size = BIG_BYTES + 100;
	size_t len = 0;
	time_t start = time(NULL);

	free(fixture->line);
	fixture->line = malloc(size);
	assert_non_null(fixture->line);
	for (;;) {
		char *newline;
		ssize_t n;

		ev_run(fixture->loop, EVRUN_NOWAIT);
		n = recv(fd, fixture->line + len, size - len, MSG_PEEK);
		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			assert_int_equal(len, 0);
			return "";
		}
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(time(NULL) - start <= DEADLINE_S);
			continue;
		}
		newline = memchr(fixture->line + len, '\n', (size_t)n);
		if (newline)
			n = newline + 1 - (fixture->line + len);
		assert_int_equal(recv(fd, fixture->line + len, (size_t)n, 0), n);
		len += (size_t)n;
		if (newline) {
			*newline = '\0';
			return fixture->line;
		}
	}
}

static inline bool client_has_input(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) >= 0;
}

static inline void assert_answers(struct fixture *fixture, int fd)
{
	client_send(fd, "{\"command\":\"ping\"}\n");
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"ping\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
