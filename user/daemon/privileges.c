/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/permitted.h"
#include "config/config.h"

#define SETS 2 /* of 32 bits, as _LINUX_CAPABILITY_VERSION_3 has them */

static bool always(const struct config *config)
{
	(void)config;
	return true;
}

static bool watches_links(const struct config *config)
{
	return links_are_wanted(&config->links);
}

/* The sockmap, clients on the same host, and hawser run, which asks for it later. */
static bool uses_bpf(const struct config *config)
{
	return config->relay.bpf || config->relay.local_accel || config_is_transparent(config);
}

static bool sends_raw_packets(const struct config *config)
{
	return watches_links(config) || config_connects_first(config);
}

static const struct right {
	const char *name;
	unsigned int number;
	bool (*is_needed)(const struct config *config);
	const char *why;
} rights[] = {
	/* Buffers, endpoints, routes, marks, transparent sockets, positions in a stream. */
	{"CAP_NET_ADMIN", CAP_NET_ADMIN, always, ""},
	/* A reload may bring a listener on port 443, and a password file of another user. */
	{"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE, always, ""},
	{"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, always, ""},
	/* Echo requests by one interface; a client's first packet, received again, or answered. */
	{"CAP_NET_RAW", CAP_NET_RAW, sends_raw_packets, "links and connect-first"},
	{"CAP_BPF", CAP_BPF, uses_bpf, "BPF"},
	{"CAP_PERFMON", CAP_PERFMON, uses_bpf, "BPF"},
	/* Maps of the interception by BPF are found by their numbers. */
	{"CAP_SYS_ADMIN", CAP_SYS_ADMIN, config_is_transparent, "a transparent listener"},
};
#define RIGHT_COUNT (sizeof(rights) / sizeof(rights[0]))

/* By privileges_drop(); of those that it was given. */
static uint64_t given_up;

static uint64_t bit(unsigned int number)
{
	return (uint64_t)1 << number;
}

static int set_all(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[SETS] = {0};

	for (int i = 0; i < SETS; i++) {
		data[i].permitted = (uint32_t)(kept >> (32 * i));
		data[i].effective = data[i].permitted;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Those that this kernel does not know end the loop. */
static void drop_bounding_set(uint64_t kept)
{
	for (unsigned int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if (!(kept & bit(i)))
			(void)prctl(PR_CAPBSET_DROP, i);
}

int privileges_drop(const struct config *config)
{
	char names[256] = "";
	uint64_t permitted = 0;
	uint64_t kept = 0;
	int err = permitted_get(&permitted);

	for (size_t i = 0; i < RIGHT_COUNT; i++) {
		if (!(permitted & bit(rights[i].number)) || !rights[i].is_needed(config))
			continue;
		kept |= bit(rights[i].number);
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s",
			 rights[i].name);
	}
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err) {
		drop_bounding_set(kept);
		err = set_all(kept);
	}
	if (err) {
		log_error("cannot give up capabilities: %s", strerror(-err));
		return err;
	}
	given_up = permitted & ~kept;
	log_info("capabilities:%s", kept ? names : " none");
	return 0;
}

void privileges_check(const struct config *config)
{
	for (size_t i = 0; i < RIGHT_COUNT; i++)
		if (rights[i].is_needed(config) && (given_up & bit(rights[i].number)))
			log_warning("%s needs %s, which was given up at start: restart hawserd",
				    rights[i].why, rights[i].name);
}
