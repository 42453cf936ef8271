/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cgroup of one `hawser run`. */
#include "cli/run_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_PREFIX "hawser-run-"

/* poll() is told of every change; this bounds the wait where a kernel forgets one. */
#define POLL_MS 1000

#define DESCRIPTORS_MAX 8 /* of nftw(): deeper trees take longer */

static bool complain(const char *what, const char *path)
{
	const int err = errno;

	fprintf(stderr, "hawser: run: %s %s: %s%s\n", what, path, strerror(err),
		err == EACCES || err == EPERM || err == EROFS
			? "; hawser run needs root, or a cgroup2 that the user may write to"
			: "");
	return false;
}

static bool join(char out[PATH_MAX], const char *directory, const char *name)
{
	const int len = snprintf(out, PATH_MAX, "%s/%s", directory, name);

	if (len < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

/* False with errno. */
static bool write_file(const char *directory, const char *name, const char *text)
{
	const size_t len = strlen(text);
	char path[PATH_MAX];
	ssize_t n;
	int fd;
	int err;

	if (!join(path, directory, name))
		return false;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, text, len);
	err = errno;
	close(fd);
	errno = err;
	return n == (ssize_t)len;
}

/* Where cgroup2 is mounted; also beside cgroups of version 1. */
static bool find_mount(char out[PATH_MAX])
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount = NULL;

	while (mounts && (mount = getmntent(mounts)) && strcmp(mount->mnt_type, "cgroup2") != 0)
		;
	if (mount)
		snprintf(out, PATH_MAX, "%s", mount->mnt_dir);
	else
		fputs("hawser: run: no cgroup2 is mounted; run as root: "
		      "mount -t cgroup2 none /sys/fs/cgroup\n",
		      stderr);
	if (mounts)
		endmntent(mounts);
	return mount != NULL;
}

/* Its path within cgroup2, as "/user.slice". */
static bool find_own(char out[PATH_MAX])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, "0::", 3) == 0;
	}
	if (found)
		found = snprintf(out, PATH_MAX, "%s", line + 3) < PATH_MAX;
	else
		fputs("hawser: run: this process is in no cgroup2\n", stderr);
	if (file)
		fclose(file);
	return found;
}

static bool find_base(char out[PATH_MAX], bool outside)
{
	char mount[PATH_MAX];
	char own[PATH_MAX];
	char *run;

	if (!find_mount(mount) || !find_own(own))
		return false;
	run = outside ? strstr(own, "/" NAME_PREFIX) : NULL;
	if (run)
		*run = '\0';
	if (strcmp(own, "/") == 0)
		own[0] = '\0';
	return snprintf(out, PATH_MAX, "%s%s", mount, own) < PATH_MAX ||
	       complain("cannot use", mount);
}

static int remove_directory(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)at;
	if (type == FTW_DP)
		(void)rmdir(path);
	return 0;
}

bool run_cgroup_remove(const struct run_cgroup *cgroup)
{
	/* The command may have made cgroups of its own in there. */
	(void)nftw(cgroup->path, remove_directory, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS);
	return access(cgroup->path, F_OK) < 0;
}

void run_cgroup_kill(const struct run_cgroup *cgroup)
{
	(void)write_file(cgroup->path, "cgroup.kill", "1");
}

void run_cgroup_wait(const struct run_cgroup *cgroup)
{
	char path[PATH_MAX];
	char events[256];
	struct pollfd changed = {.events = POLLPRI};

	if (!join(path, cgroup->path, "cgroup.events"))
		return;
	changed.fd = open(path, O_RDONLY | O_CLOEXEC);
	while (changed.fd >= 0) {
		const ssize_t n = pread(changed.fd, events, sizeof(events) - 1, 0);

		events[n > 0 ? n : 0] = '\0';
		if (!strstr(events, "populated 1"))
			break;
		poll(&changed, 1, POLL_MS);
	}
	if (changed.fd >= 0)
		close(changed.fd);
}

bool run_cgroup_enter(const char *path)
{
	return write_file(path, "cgroup.procs", "0");
}

/* Takes the lock of a cgroup; -1 when somebody has it, or it cannot be had. It is on a file in
 * there: the directory's is for those who make cgroups below it. */
static int try_lock(const char *directory)
{
	char path[PATH_MAX];
	int fd = -1;

	if (join(path, directory, "cgroup.events"))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void sweep(const char *base)
{
	DIR *directory = opendir(base);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		struct run_cgroup left;

		if (strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 ||
		    !join(left.path, base, entry->d_name))
			continue;
		left.lock = try_lock(left.path);
		if (left.lock < 0)
			continue;
		run_cgroup_kill(&left);
		run_cgroup_wait(&left);
		run_cgroup_remove(&left);
		close(left.lock);
	}
	if (directory)
		closedir(directory);
}

static bool make_locked(struct run_cgroup *cgroup)
{
	sweep(cgroup->base);
	if (!join(cgroup->path, cgroup->base, NAME_PREFIX "XXXXXX") || !mkdtemp(cgroup->path))
		return complain("cannot make a cgroup in", cgroup->base);
	cgroup->lock = try_lock(cgroup->path);
	if (cgroup->lock >= 0)
		return true;
	complain("cannot lock", cgroup->path);
	run_cgroup_remove(cgroup);
	return false;
}

bool run_cgroup_make(struct run_cgroup *cgroup, bool outside)
{
	bool made;
	int fd;

	cgroup->lock = -1;
	if (!find_base(cgroup->base, outside))
		return false;
	/* One run at a time looks for what was left, so that none takes another's new cgroup for
	 * that. */
	fd = open(cgroup->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0) {
		complain("cannot use", cgroup->base);
		if (fd >= 0)
			close(fd);
		return false;
	}
	made = make_locked(cgroup);
	close(fd);
	return made;
}
