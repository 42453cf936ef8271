/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel offers, probed by doing it. */
#include "net/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/kernel_version.h"
#include "net/reset_probe.h"

static struct feature_state features[FEATURE_COUNT] = {
	[FEATURE_MPTCP] = {.name = "mptcp"},   [FEATURE_MPTCP_RESET] = {.name = "mptcp-reset"},
	[FEATURE_SPLICE] = {.name = "splice"}, [FEATURE_SPLICE_MPTCP] = {.name = "splice-mptcp"},
	[FEATURE_BBR] = {.name = "bbr"},
};

static uint32_t rmem_max = 4U << 20;

static void feature_set(enum feature feature, bool available, const char *reason)
{
	features[feature].available = available;
	snprintf(features[feature].reason, sizeof(features[feature].reason), "%s",
		 available ? "" : reason);
}

static void probe_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	if (fd >= 0) {
		feature_set(FEATURE_MPTCP, true, "");
		close(fd);
	} else if (errno == ENOPROTOOPT) {
		feature_set(FEATURE_MPTCP, false, "switched off: sysctl net.mptcp.enabled=1");
	} else if (errno == EPROTONOSUPPORT || errno == EINVAL) {
		feature_set(FEATURE_MPTCP, false, "the kernel is built without CONFIG_MPTCP");
	} else {
		feature_set(FEATURE_MPTCP, false, strerror(errno));
	}
}

static void probe_mptcp_reset(void)
{
	char reason[sizeof(features->reason)] = "no MPTCP";
	const bool seen =
		features[FEATURE_MPTCP].available && reset_probe_mptcp(reason, sizeof(reason));

	feature_set(FEATURE_MPTCP_RESET, seen, reason);
}

static void probe_splice(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int pipe_fds[2] = {-1, -1};

	if (fd < 0 || pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK)) {
		feature_set(FEATURE_SPLICE, false, strerror(errno));
		goto out;
	}
	/* An unconnected socket has nothing to give: any answer but these means that splice(2) got
	 * as far as asking it. */
	if (splice(fd, NULL, pipe_fds[1], NULL, 1, SPLICE_F_NONBLOCK) < 0 &&
	    (errno == ENOSYS || errno == EINVAL || errno == EPERM))
		feature_set(FEATURE_SPLICE, false, strerror(errno));
	else
		feature_set(FEATURE_SPLICE, true, "");
out:
	for (int i = 0; i < 2; i++)
		if (pipe_fds[i] >= 0)
			close(pipe_fds[i]);
	if (fd >= 0)
		close(fd);
}

/* Before 7.0 splice(2) copies from an MPTCP socket, page by page; that cannot be seen from outside.
 */
static void probe_splice_mptcp(void)
{
	const bool native = kernel_version_get().major >= 7;

	if (!features[FEATURE_MPTCP].available)
		feature_set(FEATURE_SPLICE_MPTCP, false, "no MPTCP");
	else if (!features[FEATURE_SPLICE].available)
		feature_set(FEATURE_SPLICE_MPTCP, false, "no splice(2)");
	else
		feature_set(FEATURE_SPLICE_MPTCP, native, "the kernel copies (before 7.0)");
}

static void probe_bbr(void)
{
	switch (kernel_congestion_usable("bbr")) {
	case 0:
		feature_set(FEATURE_BBR, true, "");
		break;
	case -EPERM:
		feature_set(FEATURE_BBR, false,
			    "not in net.ipv4.tcp_allowed_congestion_control, no CAP_NET_ADMIN");
		break;
	default:
		feature_set(FEATURE_BBR, false, "the kernel lacks it: CONFIG_TCP_CONG_BBR");
	}
}

static void probe_rmem(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_rmem", "re");
	char line[96];
	char *at = line;
	unsigned long figure = 0;

	if (!file)
		return;
	if (fgets(line, sizeof(line), file))
		for (int i = 0; i < 3; i++)
			figure = strtoul(at, &at, 10);
	fclose(file);
	if (figure > 0 && figure <= INT32_MAX)
		rmem_max = (uint32_t)figure;
}

void kernel_probe(void)
{
	probe_rmem();
	probe_mptcp();
	probe_mptcp_reset();
	probe_splice();
	probe_splice_mptcp();
	probe_bbr();
}

const struct feature_state *kernel_feature(enum feature feature)
{
	return &features[feature];
}

uint32_t kernel_rmem_max(void)
{
	return rmem_max;
}

int kernel_congestion_usable(const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)))
		err = errno == EPERM ? -EPERM : -ENOENT;
	close(fd);
	return err;
}

void kernel_congestion_list(char *out, unsigned int size)
{
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_available_congestion_control", "re");

	out[0] = '\0';
	if (!file)
		return;
	if (fgets(out, (int)size, file))
		out[strcspn(out, "\n")] = '\0';
	fclose(file);
}
