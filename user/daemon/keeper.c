/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thread, no state but the processes that it has started and descriptors. */
#include "daemon/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/notify.h"
#include "daemon/kept_fds.h"

#define KEEPER	     "HAWSER_KEEPER" /* its process id */
#define MESSAGE_MAX  512
#define EXIT_SIGNALS 128 /* and the number of the signal, as a shell has it */

struct generation {
	pid_t pid; /* 0: none */
	int fd;	   /* what it says */
};

struct keeper {
	char **argv;
	char program[4096];
	struct generation current;
	struct generation next; /* that is to take over */
	bool stopping;		/* current is to end, and so is the keeper */
	struct kept_fds kept;
	int signals;
	sigset_t before;
};

bool keeper_is_behind(void)
{
	return getenv(NOTIFY_KEEPER) != NULL;
}

static bool is_there(void)
{
	const char *pid = getenv(KEEPER);

	return pid && strtol(pid, NULL, 10) == (long)getppid();
}

void keeper_follow(void)
{
	const char *fd = getenv(NOTIFY_KEEPER);

	if (fd)
		(void)fcntl((int)strtol(fd, NULL, 10), F_SETFD, FD_CLOEXEC);
	/* It may have gone before that was set. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) || !is_there())
		exit(EXIT_FAILURE);
}

bool keeper_ask_upgrade(void)
{
	return is_there() && kill(getppid(), SIGUSR2) == 0;
}

/* In the child: becomes hawserd. */
__attribute__((noreturn)) static void become(struct keeper *keeper, int fd)
{
	char number[16];
	const int first_free = kept_fds_pass(&keeper->kept);

	if (dup2(fd, first_free) < 0)
		_exit(EXIT_FAILURE);
	snprintf(number, sizeof(number), "%d", first_free);
	setenv(NOTIFY_KEEPER, number, 1);
	snprintf(number, sizeof(number), "%ld", (long)getppid());
	setenv(KEEPER, number, 1);
	sigprocmask(SIG_SETMASK, &keeper->before, NULL);
	execv(keeper->program, keeper->argv);
	log_error("%s: %s", keeper->program, strerror(errno));
	_exit(EXIT_FAILURE);
}

static bool start(struct keeper *keeper, struct generation *out)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return false;
	pid = fork();
	if (pid == 0) {
		/* Above all that it gets. */
		become(keeper, fcntl(ends[1], F_DUPFD_CLOEXEC, kept_fds_above(&keeper->kept)));
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return false;
	}
	*out = (struct generation){.pid = pid, .fd = ends[0]};
	return true;
}

static void forget(struct generation *generation)
{
	if (generation->fd >= 0)
		close(generation->fd);
	*generation = (struct generation){.fd = -1};
}

/* The old one finishes its sessions by itself. */
static void hand_over(struct keeper *keeper)
{
	const pid_t old = keeper->current.pid;

	log_info("hawserd %ld takes over from %ld", (long)keeper->next.pid, (long)old);
	forget(&keeper->current);
	keeper->current = keeper->next;
	keeper->next = (struct generation){.fd = -1};
	kill(old, SIGUSR2);
}

/* Only who is in charge is heard; sockets are kept of both. */
static void on_message(struct keeper *keeper, struct generation *from)
{
	char text[MESSAGE_MAX];
	int fds[NOTIFY_FDS_MAX];
	size_t count;

	if (!kept_fds_receive(from->fd, text, sizeof(text), fds, &count)) {
		close(from->fd);
		from->fd = -1;
		return;
	}
	if (strncmp(text, "FDSTORE", strlen("FDSTORE")) == 0) {
		notify_send(text, fds, count);
		kept_fds_note(&keeper->kept, text, fds, count);
		return;
	}
	if (from == &keeper->next && strncmp(text, "READY=1", strlen("READY=1")) == 0) {
		hand_over(keeper);
		from = &keeper->current;
	}
	if (from == &keeper->current)
		notify_send(text, NULL, 0);
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? EXIT_SIGNALS + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Its sessions were cut. */
static void tell_of_end(pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_error("hawserd %ld was ended by signal %d (%s), with the sessions that it had",
			  (long)pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		log_error("hawserd %ld has ended with status %d", (long)pid, WEXITSTATUS(status));
}

static void reap(struct keeper *keeper)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == keeper->next.pid) {
			log_error("the new hawserd %ld has ended (status %d) before it served; the "
				  "old one goes on",
				  (long)pid, exit_code(status));
			forget(&keeper->next);
			continue;
		}
		tell_of_end(pid, status);
		if (pid != keeper->current.pid)
			continue;
		if (keeper->next.pid == 0 || keeper->stopping)
			exit(exit_code(status));
		hand_over(keeper);
	}
}

static void upgrade(struct keeper *keeper)
{
	if (keeper->next.pid > 0)
		log_warning("an upgrade is under way already: hawserd %ld", (long)keeper->next.pid);
	else if (keeper->stopping || !start(keeper, &keeper->next))
		log_error("cannot start another hawserd: %s", strerror(errno));
}

static void on_signal(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	if (read(keeper->signals, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		reap(keeper);
		break;
	case SIGUSR2:
		upgrade(keeper);
		break;
	case SIGTERM:
		/* Which our children take for a SIGTERM (a second one would cut sessions), and
		 * drain. Who told us may start another keeper meanwhile. */
		exit(EXIT_SUCCESS);
	case SIGABRT:
		/* systemd's watchdog: whoever hangs must not stay, nor whoever is stopped. */
		kill(keeper->current.pid, SIGABRT);
		kill(keeper->current.pid, SIGCONT);
		exit(EXIT_SIGNALS + SIGABRT);
	default:
		keeper->stopping = keeper->stopping || info.ssi_signo == SIGINT;
		kill(keeper->current.pid, (int)info.ssi_signo);
	}
}

__attribute__((noreturn)) static void keep(struct keeper *keeper)
{
	for (;;) {
		struct pollfd ready[] = {
			{.fd = keeper->signals, .events = POLLIN},
			{.fd = keeper->current.fd, .events = POLLIN},
			{.fd = keeper->next.fd, .events = POLLIN},
		};

		if (poll(ready, 3, -1) < 0)
			continue;
		/* The last words of who has ended come first. */
		if (ready[2].revents)
			on_message(keeper, &keeper->next);
		else if (ready[1].revents)
			on_message(keeper, &keeper->current);
		else if (ready[0].revents)
			on_signal(keeper);
	}
}

void keeper_run(char **argv)
{
	struct keeper keeper = {.argv = argv, .current.fd = -1, .next.fd = -1};
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGABRT};
	const ssize_t len = readlink("/proc/self/exe", keeper.program, sizeof(keeper.program) - 1);
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaddset(&set, numbers[i]);
	/* Ignored, as it may be inherited, nobody would tell that a child has ended. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &set, &keeper.before);
	log_begin_service();
	keeper.signals = signalfd(-1, &set, SFD_CLOEXEC);
	kept_fds_inherit(&keeper.kept);
	if (len < 0 || keeper.signals < 0 || !start(&keeper, &keeper.current)) {
		log_error("keeper: %s", strerror(errno));
		exit(EXIT_FAILURE);
	}
	keep(&keeper);
}
