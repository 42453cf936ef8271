/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the control socket lies, and whose it is. */
#include "control_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(replaces_a_stale_socket),
		TEST(refuses_a_live_socket),
		TEST(refuses_what_is_no_socket),
		TEST(refuses_impossible_paths),
		TEST(is_only_for_its_user),
		TEST(close_removes_only_its_own_socket),
		cmocka_unit_test(default_path_depends_on_the_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
