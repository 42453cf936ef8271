/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser run`: the command, its signals, and a guardian that outlives a SIGKILL of this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/control_socket.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "cli/run_cgroup.h"
#include "net/socket.h"

#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND	    127
#define EXIT_SIGNAL	    128

struct guardian {
	pid_t pid;
	int pipe; /* its end tells the guardian of ours */
};

/* What a wrapper passes on. */
static const int passed_on[] = {SIGHUP,	 SIGINT,  SIGQUIT,  SIGUSR1, SIGUSR2,
				SIGALRM, SIGTERM, SIGWINCH, SIGTSTP};

static void awaited_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(set, passed_on[i]);
}

static void leave_standard_files(void)
{
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
		dup2(fd, standard);
}

/* A byte: the command has ended, but not all that it started; it may go on. None: this process was
 * killed, and nothing may remain. */
__attribute__((noreturn)) static void guard(const struct run_cgroup *cgroup, int pipe_end)
{
	char byte;
	ssize_t n;

	/* What is sent to all of a terminal, or of a run around this one, is not for the guardian.
	 */
	setsid();
	(void)run_cgroup_enter(cgroup->base);
	leave_standard_files();
	while ((n = read(pipe_end, &byte, 1)) < 0 && errno == EINTR)
		;
	if (n != 1)
		run_cgroup_kill(cgroup);
	do
		run_cgroup_wait(cgroup);
	while (!run_cgroup_remove(cgroup));
	_exit(EXIT_SUCCESS);
}

static bool guardian_start(struct guardian *guardian, const struct run_cgroup *cgroup)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	guardian->pid = fork();
	if (guardian->pid == 0) {
		close(ends[1]);
		guard(cgroup, ends[0]);
	}
	close(ends[0]);
	guardian->pipe = ends[1];
	if (guardian->pid < 0)
		close(ends[1]);
	return guardian->pid > 0;
}

static void guardian_end(const struct guardian *guardian, const struct run_cgroup *cgroup)
{
	/* Mostly all has ended; then nothing is left when we do. */
	if (run_cgroup_remove(cgroup)) {
		close(guardian->pipe);
		waitpid(guardian->pid, NULL, 0);
	} else {
		(void)!write(guardian->pipe, "", 1);
	}
}

__attribute__((noreturn)) static void execute(char **words, const struct run_cgroup *cgroup,
					      const sigset_t *mask)
{
	int err;

	/* By itself, so that no moment of the command is outside. */
	if (!run_cgroup_enter(cgroup->path)) {
		fprintf(stderr, "hawser: run: cannot enter %s: %s\n", cgroup->path,
			strerror(errno));
		_exit(EXIT_FAILURE);
	}
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(words[0], words);
	err = errno;
	fprintf(stderr, "hawser: run: %s: %s\n", words[0], strerror(err));
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* A terminal tells the group in the foreground, which a command may have left for one of its own
 * (as timeout(1) does); and of its end it tells the leader of the session only. */
static void tell(pid_t child, const siginfo_t *info)
{
	const bool by_terminal = info->si_code == SI_KERNEL;
	const pid_t group = getpgid(child);

	if (by_terminal && group == getpgrp() &&
	    !(info->si_signo == SIGHUP && getsid(0) == getpid()))
		return;
	kill(by_terminal && group == child ? -group : child, info->si_signo);
}

/* Not SIGSTOP: where no shell could continue us, the kernel does not stop us. */
static void stop(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void pass_on(pid_t child, const siginfo_t *info)
{
	siginfo_t go_on = *info;

	tell(child, info);
	if (info->si_signo != SIGTSTP)
		return;
	stop();
	go_on.si_signo = SIGCONT;
	tell(child, &go_on);
}

/* Returns its exit code. */
static int await(pid_t child)
{
	sigset_t set;
	siginfo_t info;
	int status;
	pid_t ended;

	awaited_signals(&set);
	while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
		if (sigwaitinfo(&set, &info) > 0 && info.si_signo != SIGCHLD)
			pass_on(child, &info);
	}
	if (ended < 0) {
		fprintf(stderr, "hawser: run: waitpid: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static void warn_of_missing_family(struct json_object *answer)
{
	struct json_object *families = NULL;

	json_object_object_get_ex(answer, "families", &families);
	if (!json_object_is_type(families, json_type_array))
		die("run: this hawserd is too old for it");
	if (json_object_array_length(families) == 1)
		fprintf(stderr,
			"hawser: run: hawserd has a transparent listener for %s only; it does not "
			"take connections of the other family\n",
			json_object_get_string(json_object_array_get_idx(families, 0)));
}

/* Has hawserd take the connections of a cgroup; otherwise ends the program. */
static void ask_hawserd(const char *control_path, const char *cgroup)
{
	struct json_object *question = json_object_new_object();
	struct connection connection;
	char line[CONTROL_REQUEST_MAX];

	json_object_object_add(question, "command", json_object_new_string("run"));
	json_object_object_add(question, "cgroup", json_object_new_string(cgroup));
	json_object_object_add(question, "netns",
			       json_object_new_int64((int64_t)socket_netns_cookie()));
	if (snprintf(line, sizeof(line), "%s\n",
		     json_object_to_json_string_ext(question, JSON_C_TO_STRING_PLAIN)) >=
	    (int)sizeof(line))
		die("run: %s: the path is too long", cgroup);
	json_object_put(question);
	control_client_open(&connection, control_path);
	control_client_ask_line_or_die(&connection, line);
	warn_of_missing_family(connection.answer);
	control_client_close(&connection);
}

int run_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options =
						   CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_BYPASS),
					   .words = "COMMAND [ARGUMENT]...",
					   .words_max = INT_MAX,
					   .words_end_options = true};
	struct arguments arguments;
	struct run_cgroup cgroup;
	struct guardian guardian;
	sigset_t awaited;
	sigset_t before;
	int code = EXIT_FAILURE;
	pid_t child;

	arguments_parse(&arguments, command, argc, argv, &usage);
	if (!arguments.words[0])
		die_usage(command->name, "there is no command to run");
	if (!run_cgroup_make(&cgroup, arguments.option[CLI_BYPASS]))
		return EXIT_FAILURE;
	awaited_signals(&awaited);
	sigprocmask(SIG_BLOCK, &awaited, &before);
	if (!guardian_start(&guardian, &cgroup)) {
		fprintf(stderr, "hawser: run: cannot start a guardian: %s\n", strerror(errno));
		run_cgroup_remove(&cgroup);
		return EXIT_FAILURE;
	}
	/* It may end this process: then the guardian removes the cgroup. */
	if (!arguments.option[CLI_BYPASS])
		ask_hawserd(arguments.control, cgroup.path);
	child = fork();
	if (child == 0)
		execute(arguments.words, &cgroup, &before);
	if (child > 0)
		code = await(child);
	else
		fprintf(stderr, "hawser: run: fork: %s\n", strerror(errno));
	guardian_end(&guardian, &cgroup);
	return code;
}
