/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in a bpffs for the maps, so that bpftool finds them. */
#include "accel/sockmap_pin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PIN_TRIES 16

static int pin_path(char path[static PATH_MAX], const char *directory, enum sockmap_pin pin)
{
	static const char *const names[SOCKMAP_PIN_COUNT] = {
		[SOCKMAP_PIN_FLOWS] = "flows",
		[SOCKMAP_PIN_SLOTS] = "slots",
		[SOCKMAP_PIN_SOURCES] = "sources",
		[SOCKMAP_PIN_TARGETS] = "targets",
	};
	int len = snprintf(path, PATH_MAX, "%s/%s", directory, names[pin]);

	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* 0 if there is no such map. */
static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) ? info.id : 0;
}

/* Another hawserd may pin at the same moment, or remove the directory as it ends. Of each name, the
 * last one's is seen. */
static int replace(const char *directory, const char *path, int fd)
{
	int err = 0;

	for (int tries = 0; tries < PIN_TRIES; tries++) {
		if (mkdir(directory, 0700) && errno != EEXIST)
			return -errno;
		if (unlink(path) && errno != ENOENT)
			return -errno;
		if (!bpf_obj_pin(fd, path))
			return 0;
		err = -errno;
		if (err != -EEXIST && err != -ENOENT)
			break;
	}
	return err;
}

int sockmap_pin(const char *directory, const int fds[static SOCKMAP_PIN_COUNT], char *reason,
		size_t size)
{
	char path[PATH_MAX];
	struct statfs fs;
	int err;

	/* Only root may look in: the maps hold the cookies of everybody's connections. */
	if (mkdir(directory, 0700) && errno != EEXIST) {
		err = -errno;
		snprintf(reason, size, "mkdir: %s%s", strerror(-err),
			 err == -ENOENT || err == -EPERM ? "; mount -t bpf bpf /sys/fs/bpf" : "");
		return err;
	}
	if (statfs(directory, &fs) || (uint32_t)fs.f_type != BPF_FS_MAGIC) {
		snprintf(reason, size, "not a bpffs; mount -t bpf bpf /sys/fs/bpf");
		rmdir(directory);
		return -EINVAL;
	}
	for (int i = 0; i < SOCKMAP_PIN_COUNT; i++) {
		err = pin_path(path, directory, i);
		if (!err)
			err = replace(directory, path, fds[i]);
		if (err) {
			snprintf(reason, size, "pin: %s", strerror(-err));
			sockmap_unpin(directory, fds);
			return err;
		}
	}
	return 0;
}

void sockmap_unpin(const char *directory, const int fds[static SOCKMAP_PIN_COUNT])
{
	char path[PATH_MAX];

	for (int i = 0; i < SOCKMAP_PIN_COUNT; i++) {
		int fd;

		if (pin_path(path, directory, i))
			continue;
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		if (map_id(fd) == map_id(fds[i]))
			unlink(path);
		close(fd);
	}
	rmdir(directory);
}
