/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients of the control socket get, whatever they do. */
#include "control_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_one_line),
		TEST(serves_many_requests_on_one_connection),
		TEST(takes_a_request_byte_by_byte),
		TEST(answers_after_half_close),
		TEST(refuses_garbage),
		TEST(limits_a_request),
		TEST(serves_many_clients),
		TEST(slow_reader_stops_nobody),
		TEST(survives_a_client_that_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
