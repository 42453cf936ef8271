/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line as such: help, version, misuse and their exit codes. */
#include "config_fixture.h"

#include <sys/wait.h>

static void test_options_struct(void **state)
{
	const struct options *options =
		parse_args((const char *const[]){"-c", "a", "--config=b", "--check", NULL});

	(void)state;
	assert_string_equal(options_file(options), "b");
	assert_true(options_check_only(options));
	options_free(options);
	options = parse_args((const char *const[]){NULL});
	assert_null(options_file(options));
	assert_false(options_check_only(options));
	options_free(options);
}

/* Runs options_parse() in a child and leaves what it wrote, out and err alike, in fixture_log. */
static int exit_code_of(const char *const *args)
{
	int fd = memfd_create("out", MFD_CLOEXEC);
	ssize_t len;
	int status;
	pid_t pid;

	assert_true(fd >= 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		options_free(parse_args(args));
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	len = pread(fd, fixture_log, sizeof(fixture_log) - 1, 0);
	assert_true(len >= 0);
	fixture_log[len] = '\0';
	close(fd);
	return WEXITSTATUS(status);
}

#define EXIT_CODE_OF(...) exit_code_of((const char *const[]){__VA_ARGS__, NULL})

static void test_usage(void **state)
{
	static const char *const names[] = {"also -c",
					    "--socks ADDR",
					    "--forward ADDR",
					    "--user NAME",
					    "--allow PREFIX",
					    "--mptcp auto",
					    "--congestion",
					    "--tcp-only-expiry T",
					    "--tcp-only-retry N",
					    "--links listed|auto|manual",
					    "--link NAME=DEVICE",
					    "--tier",
					    "--timeout",
					    "--workers N",
					    "--control",
					    "--log-level",
					    "--check",
					    "--version",
					    "--help"};

	(void)state;
	assert_int_equal(EXIT_CODE_OF("--version"), 0);
	assert_string_equal(fixture_log, "hawserd " HAWSER_VERSION "\n");
	assert_int_equal(EXIT_CODE_OF("version"), 0);
	assert_string_equal(fixture_log, "hawserd " HAWSER_VERSION "\n");
	assert_int_equal(EXIT_CODE_OF("-h"), 0);
	assert_contains(fixture_log, "usage: hawserd");
	assert_int_equal(EXIT_CODE_OF("help"), 0);
	assert_contains(fixture_log, "usage: hawserd");
	assert_int_equal(EXIT_CODE_OF("--mptcp=bad", "--help"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_contains(fixture_log, names[i]);

	assert_int_equal(EXIT_CODE_OF("--sock5", "127.0.0.1:1"), 2);
	assert_string_equal(fixture_log, "error: --sock5: no such option; see --help\n");
	assert_int_equal(EXIT_CODE_OF("-x"), 2);
	assert_contains(fixture_log, "error: -x: no such option; expected -c FILE");
	assert_int_equal(EXIT_CODE_OF("--socks"), 2);
	assert_string_equal(fixture_log, "error: --socks: no value; expected --socks ADDR:PORT\n");
	assert_int_equal(EXIT_CODE_OF("-c"), 2);
	assert_contains(fixture_log, "expected --config FILE");
	assert_int_equal(EXIT_CODE_OF("--check=1"), 2);
	assert_string_equal(fixture_log, "error: --check=1: takes no value; expected --check\n");
	assert_int_equal(EXIT_CODE_OF("--check", "file"), 2);
	assert_string_equal(fixture_log, "error: file: not an option; see --help\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_struct),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
