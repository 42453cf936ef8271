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

#include "net/diag_probe.h"
#include "net/mptcp_options.h"
#include "net/reset_probe.h"
#include "net/splice_probe.h"

static struct feature_state features[FEATURE_COUNT] = {
	[FEATURE_MPTCP] = {.name = "mptcp"},
	[FEATURE_MPTCP_RESET] = {.name = "mptcp-reset"},
	[FEATURE_MPTCP_OPTIONS] = {.name = "mptcp-options"},
	[FEATURE_SUBFLOW_DIAG] = {.name = "subflow-diag"},
	[FEATURE_SPLICE] = {.name = "splice"},
	[FEATURE_SPLICE_FROM_MPTCP] = {.name = "splice-from-mptcp"},
	[FEATURE_SPLICE_TO_MPTCP] = {.name = "splice-to-mptcp"},
	[FEATURE_BUFFERS] = {.name = "bounded-buffers"},
	[FEATURE_BBR] = {.name = "bbr"},
};

static uint32_t rmem_max = 4U << 20;
static uint32_t wmem_max = 4U << 20;

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

static void probe_splice_mptcp(enum feature feature, enum splice_direction direction)
{
	char reason[sizeof(features->reason)] = "";
	bool passes = false;

	if (!features[FEATURE_MPTCP].available)
		snprintf(reason, sizeof(reason), "no MPTCP");
	else if (!features[FEATURE_SPLICE].available)
		snprintf(reason, sizeof(reason), "no splice(2)");
	else
		passes = splice_probe(IPPROTO_MPTCP, direction, reason, sizeof(reason));
	feature_set(feature, passes, reason);
}

static void probe_mptcp_options(void)
{
	const struct mptcp_option *refused[MPTCP_OPTIONS_MAX];
	const size_t count = mptcp_options_try(refused);
	char reason[sizeof(features->reason)] = "the kernel refuses";

	for (size_t i = 0; i < count; i++) {
		const size_t len = strlen(reason);

		snprintf(reason + len, sizeof(reason) - len, "%s %s", i ? "," : "",
			 refused[i]->name);
	}
	if (!features[FEATURE_MPTCP].available)
		feature_set(FEATURE_MPTCP_OPTIONS, false, "no MPTCP");
	else
		feature_set(FEATURE_MPTCP_OPTIONS, count == 0, reason);
}

static void probe_subflow_diag(void)
{
	const int err = diag_probe_tcp();

	if (!features[FEATURE_MPTCP].available)
		feature_set(FEATURE_SUBFLOW_DIAG, false, "no MPTCP");
	else if (!err && !features[FEATURE_BUFFERS].available)
		feature_set(FEATURE_SUBFLOW_DIAG, false, features[FEATURE_BUFFERS].reason);
	else if (err == -EPROTONOSUPPORT || err == -ENOENT)
		feature_set(FEATURE_SUBFLOW_DIAG, false, "the kernel lacks CONFIG_INET_DIAG");
	else
		feature_set(FEATURE_SUBFLOW_DIAG, !err, strerror(-err));
}

static void probe_buffers(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	const int bytes = (int)(rmem_max / 2);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0)
		feature_set(FEATURE_BUFFERS, true, "");
	else if (errno == EPERM)
		feature_set(FEATURE_BUFFERS, false, "not permitted: needs CAP_NET_ADMIN");
	else
		feature_set(FEATURE_BUFFERS, false, strerror(errno));
	if (fd >= 0)
		close(fd);
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

/* The third of the figures in a file; *out stays if it cannot be read. */
static void read_third(const char *path, uint32_t *out)
{
	FILE *file = fopen(path, "re");
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
		*out = (uint32_t)figure;
}

void kernel_probe(void)
{
	read_third("/proc/sys/net/ipv4/tcp_rmem", &rmem_max);
	read_third("/proc/sys/net/ipv4/tcp_wmem", &wmem_max);
	probe_buffers();
	probe_mptcp();
	probe_mptcp_reset();
	probe_mptcp_options();
	probe_subflow_diag();
	probe_splice();
	probe_splice_mptcp(FEATURE_SPLICE_FROM_MPTCP, SPLICE_FROM_SOCKET);
	probe_splice_mptcp(FEATURE_SPLICE_TO_MPTCP, SPLICE_TO_SOCKET);
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

uint32_t kernel_wmem_max(void)
{
	return wmem_max;
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
