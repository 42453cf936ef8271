/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setup/system_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/control_socket.h"
#include "base/text_file.h"
#include "cli/die.h"

#define LOCK_FILE      HAWSER_RUN_DIR "/hawser-setup.lock"
#define FILE_MAX_BYTES ((size_t)1 << 20)

char *system_file_read(const char *path)
{
	size_t len;
	char *text = text_file_read(path, FILE_MAX_BYTES, &len);

	/* What is behind it would be lost by the next change. */
	if (text && strlen(text) < len)
		die("%s has a NUL byte; expected text", path);
	if (!text && errno == ENOENT)
		text = strdup("");
	else if (text && strcmp(text, "\n") == 0)
		*text = '\0';
	if (!text)
		die("%s: %s", path, strerror(errno));
	return text;
}

/* Makes those above path that are missing, and fills in the last. 0 or -errno. */
static int make_directory(const char *path, struct stat *directory)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0750) && errno != EEXIST)
			return -errno;
		if (stat(copy, directory))
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* A link shall go on to be one. */
static void resolve(const char *path, char real[PATH_MAX])
{
	if (!realpath(path, real))
		snprintf(real, PATH_MAX, "%s", path);
}

int system_file_write(const char *path, const char *text, mode_t mode)
{
	char real[PATH_MAX];
	struct stat directory = {0};
	struct stat like;
	const int err = make_directory(path, &directory);

	if (err)
		return err;
	resolve(path, real);
	if (stat(real, &like)) {
		like = directory;
		like.st_uid = geteuid();
		like.st_mode = mode;
	}
	return text_file_swap(real, 0600, &like, text);
}

void system_file_sweep(const char *path)
{
	char real[PATH_MAX];

	resolve(path, real);
	text_file_sweep(real);
}

bool system_file_is(const char *path, const char *text)
{
	char *is = system_file_read(path);
	const bool same = strcmp(is, text) == 0;

	free(is);
	return same;
}

void system_lock(void)
{
	const int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		die(LOCK_FILE ": %s", strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return;
	fprintf(stderr, "hawser: waits for another exit-setup or exit-add that is at work\n");
	if (flock(fd, LOCK_EX))
		die(LOCK_FILE ": %s", strerror(errno));
}

static void read_all(int fd, char *out, size_t size)
{
	char rest[512];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, len + 1 < size ? out + len : rest,
			 len + 1 < size ? size - 1 - len : sizeof(rest))) > 0)
		len += len + 1 < size ? (size_t)n : 0;
	out[len] = '\0';
}

int system_run(const char *const *words, char *out, size_t size)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int pipes[2];
	int status;
	pid_t pid;
	int err;

	*out = '\0';
	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	fflush(stdout);
	/* Its words are read. */
	setenv("LC_ALL", "C", 1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	/* Ctrl-C is for it, too. */
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawnp(&pid, words[0], &actions, &attributes, (char *const *)words, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(pipes[1]);
	if (!err)
		read_all(pipes[0], out, size);
	close(pipes[0]);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}
