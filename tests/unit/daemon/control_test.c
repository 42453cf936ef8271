/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket, served and asked in one thread: the tests turn the loop by hand. */
#include "daemon/control.h"

#include "base/control_socket.h"

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

#define DEADLINE_S 5
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

static struct json_object *answer(void *context, const char *command, struct json_object *request)
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

static int fixture_setup(void **state)
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

static int fixture_teardown(void **state)
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

static void fixture_open(struct fixture *fixture)
{
	fixture->control = control_open(fixture->loop, fixture->path, answer, fixture);
	assert_non_null(fixture->control);
}

static void fixture_turn(struct fixture *fixture)
{
	for (int i = 0; i < ROUNDS; i++)
		ev_run(fixture->loop, EVRUN_NOWAIT);
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

static int client_connect(const struct fixture *fixture)
{
	struct sockaddr_un address = address_of(fixture->path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void client_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next line without its newline, or "" when hawserd closed. Peeks first, so that what follows
 * the line stays in the socket. */
static const char *fixture_receive(struct fixture *fixture, int fd)
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

static bool client_has_input(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) >= 0;
}

static void assert_answers(struct fixture *fixture, int fd)
{
	client_send(fd, "{\"command\":\"ping\"}\n");
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"ping\"}");
}

static void answers_one_line(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	fixture_open(fixture);
	fd = client_connect(fixture);
	assert_answers(fixture, fd);
	client_send(fd, "{\"command\":\"none\"}\n");
	assert_string_equal(fixture_receive(fixture, fd),
			    "{\"error\":\"hawserd is out of memory\"}");
	close(fd);
}

static void serves_many_requests_on_one_connection(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	fixture_open(fixture);
	fd = client_connect(fixture);
	assert_answers(fixture, fd);
	assert_answers(fixture, fd);
	client_send(fd, "{\"command\":\"one\"}\n{\"command\":\"two\"}\n{\"command\":\"three\"}\n");
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"one\"}");
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"two\"}");
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"three\"}");
	close(fd);
}

static void takes_a_request_byte_by_byte(void **state)
{
	static const char request[] = "{\"command\":\"ping\"}\n";
	struct fixture *fixture = *state;
	int fd;

	fixture_open(fixture);
	fd = client_connect(fixture);
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		assert_int_equal(fixture->answered, 0);
		assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
		fixture_turn(fixture);
	}
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"ping\"}");
	close(fd);
}

static void answers_after_half_close(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	fixture_open(fixture);
	fd = client_connect(fixture);
	client_send(fd, "{\"command\":\"one\"}\n{\"command\":\"two\"}\nrest");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"one\"}");
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"two\"}");
	assert_string_equal(fixture_receive(fixture, fd), "");
	close(fd);
}

static void refuses_garbage(void **state)
{
	static const char *const lines[] = {
		"\n",
		"hello\n",
		"{}\n",
		"[1]\n",
		"null\n",
		"\"status\"\n",
		"{\"command\":1}\n",
		"{\"command\":null}\n",
		"{\"command\":\"ping\"\n",
		"{\"command\":\"ping\"} more\n",
		"{\"command\":\"\xff\"}\n",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
	};
	struct fixture *fixture = *state;
	int fd;

	fixture_open(fixture);
	fd = client_connect(fixture);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		client_send(fd, lines[i]);
		assert_string_equal(fixture_receive(fixture, fd),
				    "{\"error\":\"malformed request; expected one line such as "
				    "{\\\"command\\\":\\\"status\\\"}\"}");
	}
	assert_int_equal(fixture->answered, 0);
	assert_answers(fixture, fd);
	close(fd);
}

static void limits_a_request(void **state)
{
	char request[CONTROL_REQUEST_MAX + 1];
	struct fixture *fixture = *state;
	int fd;

	fixture_open(fixture);
	fd = client_connect(fixture);
	snprintf(request, sizeof(request), "{%*s\n", CONTROL_REQUEST_MAX - 2,
		 "\"command\":\"ping\"}");
	assert_int_equal(strlen(request), CONTROL_REQUEST_MAX);
	client_send(fd, request);
	assert_string_equal(fixture_receive(fixture, fd), "{\"echo\":\"ping\"}");

	request[CONTROL_REQUEST_MAX - 1] = ' ';
	client_send(fd, request);
	client_send(fd, "\n{\"command\":\"ping\"}\n");
	assert_string_equal(fixture_receive(fixture, fd),
			    "{\"error\":\"request longer than 4096 bytes\"}");
	assert_string_equal(fixture_receive(fixture, fd), "");
	assert_int_equal(fixture->answered, 1);
	close(fd);
}

static void replaces_a_stale_socket(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_un address = address_of(fixture->path);
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);
	int fd;

	assert_int_equal(mkdir(fixture->directory, 0700), 0);
	assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(stale, 1), 0);
	close(stale);
	fixture_open(fixture);
	fd = client_connect(fixture);
	assert_answers(fixture, fd);
	close(fd);
}

static void refuses_a_live_socket(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	fixture_open(fixture);
	errno = 0;
	assert_null(control_open(fixture->loop, fixture->path, answer, fixture));
	assert_int_equal(errno, EADDRINUSE);
	fd = client_connect(fixture);
	assert_answers(fixture, fd);
	close(fd);
}

static void refuses_what_is_no_socket(void **state)
{
	struct fixture *fixture = *state;
	char content[5] = "";
	int fd;

	assert_int_equal(mkdir(fixture->directory, 0700), 0);
	fd = open(fixture->path, O_CREAT | O_EXCL | O_RDWR, 0600);
	assert_int_equal(write(fd, "mine", 4), 4);
	assert_null(control_open(fixture->loop, fixture->path, answer, fixture));
	assert_int_equal(errno, ENOTSOCK);
	close(fd);
	fd = open(fixture->path, O_RDONLY);
	assert_int_equal(read(fd, content, sizeof(content)), 4);
	assert_string_equal(content, "mine");
	close(fd);

	unlink(fixture->path);
	assert_int_equal(symlink("/nonexistent/elsewhere", fixture->path), 0);
	assert_null(control_open(fixture->loop, fixture->path, answer, fixture));
	assert_int_equal(errno, ENOTSOCK);
}

static void refuses_impossible_paths(void **state)
{
	struct fixture *fixture = *state;
	char path[300];

	snprintf(path, sizeof(path), "%s/missing/run/control.sock", fixture->base);
	assert_null(control_open(fixture->loop, path, answer, fixture));
	assert_int_equal(errno, ENOENT);
	snprintf(path, sizeof(path), "%s/%0150d", fixture->base, 0);
	assert_null(control_open(fixture->loop, path, answer, fixture));
	assert_int_equal(errno, ENAMETOOLONG);
}

static void is_only_for_its_user(void **state)
{
	struct fixture *fixture = *state;
	struct stat status;
	mode_t before = umask(0);

	fixture_open(fixture);
	umask(before);
	assert_int_equal(lstat(fixture->path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(lstat(fixture->directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
}

static void serves_many_clients(void **state)
{
	struct fixture *fixture = *state;
	int fds[CONTROL_CLIENTS_MAX];
	int late;

	fixture_open(fixture);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = client_connect(fixture);
		fixture_turn(fixture);
	}
	late = client_connect(fixture);
	assert_string_equal(fixture_receive(fixture, late),
			    "{\"error\":\"busy: 16 clients are connected\"}");
	assert_string_equal(fixture_receive(fixture, late), "");
	close(late);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		assert_answers(fixture, fds[i]);

	close(fds[7]);
	fixture_turn(fixture);
	fds[7] = client_connect(fixture);
	assert_answers(fixture, fds[7]);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
}

static void slow_reader_stops_nobody(void **state)
{
	struct fixture *fixture = *state;
	const char *line;
	int slow;
	int other;

	fixture_open(fixture);
	slow = client_connect(fixture);
	other = client_connect(fixture);
	client_send(slow, "{\"command\":\"big\"}\n{\"command\":\"after\"}\n");
	fixture_turn(fixture);
	client_send(slow, "{\"command\":\"later\"}\n");
	fixture_turn(fixture);
	assert_int_equal(fixture->answered, 1);
	for (int i = 0; i < 3; i++)
		assert_answers(fixture, other);
	assert_int_equal(fixture->answered, 4);

	line = fixture_receive(fixture, slow);
	assert_int_equal(strlen(line), BIG_BYTES + strlen("{\"big\":\"\"}"));
	for (size_t i = 0; i < BIG_BYTES; i++) {
		if (line[strlen("{\"big\":\"") + i] != (char)('a' + i % 23))
			fail_msg("byte %zu is wrong", i);
	}
	assert_string_equal(fixture_receive(fixture, slow), "{\"echo\":\"after\"}");
	assert_string_equal(fixture_receive(fixture, slow), "{\"echo\":\"later\"}");
	close(slow);
	close(other);
}

static void survives_a_client_that_leaves(void **state)
{
	struct fixture *fixture = *state;
	int gone;
	int silent;
	int fd;

	fixture_open(fixture);
	gone = client_connect(fixture);
	silent = client_connect(fixture);
	client_send(gone, "{\"command\":\"big\"}\n{\"command\":\"big\"}\n");
	fixture_turn(fixture);
	close(gone);
	fixture_turn(fixture);
	assert_int_equal(fixture->answered, 1);
	fd = client_connect(fixture);
	assert_answers(fixture, fd);
	assert_false(client_has_input(silent));
	assert_answers(fixture, silent);
	close(silent);
	close(fd);
}

static void close_removes_only_its_own_socket(void **state)
{
	struct fixture *fixture = *state;
	struct control *first;
	struct stat status;
	int fd;

	fixture_open(fixture);
	fd = client_connect(fixture);
	assert_answers(fixture, fd);
	control_close(fixture->control);
	assert_int_equal(lstat(fixture->path, &status), -1);
	assert_int_equal(errno, ENOENT);
	fixture->control = NULL;
	assert_string_equal(fixture_receive(fixture, fd), "");
	close(fd);

	fixture_open(fixture);
	first = fixture->control;
	unlink(fixture->path);
	fixture_open(fixture);
	control_close(first);
	fd = client_connect(fixture);
	assert_answers(fixture, fd);
	close(fd);
	control_close(NULL);
}

static void default_path_depends_on_the_user(void **state)
{
	bool root = geteuid() == 0;
	char expected[64];
	char path[64];

	(void)state;
	if (root) {
		assert_string_equal(control_default_path(path, sizeof(path)),
				    "/run/hawser/control.sock");
		assert_int_equal(seteuid(65534), 0);
	}
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	assert_string_equal(control_default_path(path, sizeof(path)),
			    "/run/user/7/hawser/control.sock");
	unsetenv("XDG_RUNTIME_DIR");
	snprintf(expected, sizeof(expected), "/tmp/hawser-%u/control.sock",
		 (unsigned int)geteuid());
	assert_string_equal(control_default_path(path, sizeof(path)), expected);
	if (root)
		assert_int_equal(seteuid(0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_one_line),
		TEST(serves_many_requests_on_one_connection),
		TEST(takes_a_request_byte_by_byte),
		TEST(answers_after_half_close),
		TEST(refuses_garbage),
		TEST(limits_a_request),
		TEST(replaces_a_stale_socket),
		TEST(refuses_a_live_socket),
		TEST(refuses_what_is_no_socket),
		TEST(refuses_impossible_paths),
		TEST(is_only_for_its_user),
		TEST(serves_many_clients),
		TEST(slow_reader_stops_nobody),
		TEST(survives_a_client_that_leaves),
		TEST(close_removes_only_its_own_socket),
		cmocka_unit_test(default_path_depends_on_the_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
