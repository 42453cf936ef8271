/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps of the program bpf/steer.bpf.c in force. */
#include "intercept/steer_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "hawser_steer.h"
#include "intercept/tc_hook.h"

#define MAPS_MAX 16 /* more than the program has, and its constants */

static const char *const names[STEER_MAP_COUNT] = {
	[STEER_MAP_BEAT] = "beat",
	[STEER_MAP_COUNTERS] = "counters",
	[STEER_MAP_LAN] = "lan",
	[STEER_MAP_DESTINATIONS] = "destinations",
	[STEER_MAP_SOURCES] = "sources",
	[STEER_MAP_PORTS] = "ports",
	[STEER_MAP_MACS] = "macs",
	[STEER_MAP_AUTO_BYPASS] = "auto_bypass",
	/* libbpf makes it of the skeleton's name, and the kernel keeps 15 bytes. */
	[STEER_MAP_SETTINGS] = "steer_bp.rodata",
};

void steer_maps_close(struct steer_maps *maps)
{
	for (int i = 0; i < STEER_MAP_COUNT; i++) {
		if (maps->fds[i] >= 0)
			close(maps->fds[i]);
		maps->fds[i] = -1;
	}
}

/* Takes the descriptor if the map is one of those that are missing. */
static bool keep_map(struct steer_maps *maps, int fd)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return false;
	for (int i = 0; i < STEER_MAP_COUNT; i++) {
		if (maps->fds[i] < 0 && strcmp(info.name, names[i]) == 0) {
			maps->fds[i] = fd;
			return true;
		}
	}
	return false;
}

int steer_maps_open(struct steer_maps *maps, int program)
{
	__u32 ids[MAPS_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	__u32 len = sizeof(info);
	int err = 0;

	memset(maps->fds, -1, sizeof(maps->fds));
	if (bpf_obj_get_info_by_fd(program, &info, &len))
		return -errno;
	for (__u32 i = 0; !err && i < info.nr_map_ids && i < MAPS_MAX; i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);

		if (fd < 0)
			err = -errno;
		else if (!keep_map(maps, fd))
			close(fd);
	}
	for (int i = 0; !err && i < STEER_MAP_COUNT; i++)
		if (maps->fds[i] < 0)
			err = -EINVAL; /* of another version */
	if (err)
		steer_maps_close(maps);
	return err;
}

int steer_maps_open_any(struct steer_maps *maps)
{
	int program = tc_hook_find_any(tc_hook_probe(), &tc_steer);
	int err;

	memset(maps->fds, -1, sizeof(maps->fds));
	if (program < 0)
		return program;
	err = steer_maps_open(maps, program);
	close(program);
	return err;
}

int steer_maps_beat(const struct steer_maps *maps, bool alive)
{
	const __u32 zero = 0;
	const __u64 last_ns = alive ? clock_monotonic_ns() : 0;

	return bpf_map_update_elem(maps->fds[STEER_MAP_BEAT], &zero, &last_ns, BPF_ANY) ? -errno
											: 0;
}

int steer_maps_detour(const struct steer_maps *maps, const union address *to, uint64_t expiry_ms)
{
	const bool is_ipv6 = to->sa.sa_family == AF_INET6;
	const int fd = maps->fds[STEER_MAP_AUTO_BYPASS];
	const __u64 ends_ns = clock_monotonic_ns() + expiry_ms * 1000000;
	struct hawser_steer_destination key = {
		.family = is_ipv6 ? HAWSER_STEER_IPV6 : HAWSER_STEER_IPV4,
		.port = is_ipv6 ? to->in6.sin6_port : to->in4.sin_port};

	if (is_ipv6)
		memcpy(key.ip, &to->in6.sin6_addr, sizeof(key.ip));
	else
		memcpy(key.ip, &to->in4.sin_addr, sizeof(to->in4.sin_addr));
	if (expiry_ms == 0)
		return bpf_map_delete_elem(fd, &key) ? -errno : 0;
	return bpf_map_update_elem(fd, &key, &ends_ns, BPF_ANY) ? -errno : 0;
}
