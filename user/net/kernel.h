/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel offers, probed by doing it. Probed once at start, constant afterwards. */
#ifndef HAWSER_NET_KERNEL_H
#define HAWSER_NET_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

enum feature {
	FEATURE_MPTCP,
	FEATURE_MPTCP_RESET, /* the peer sees what socket_reset() does */
	FEATURE_SPLICE,
	FEATURE_SPLICE_MPTCP, /* without copying, from an MPTCP socket */
	FEATURE_BBR,
	FEATURE_COUNT
};

struct feature_state {
	const char *name; /* "mptcp", "mptcp-reset", "splice", "splice-mptcp", "bbr" */
	bool available;
	char reason[96]; /* when not available: why, and what would mend it; else "" */
};

/* Call once before threads start. */
void kernel_probe(void);

/* Never NULL. */
const struct feature_state *kernel_feature(enum feature feature);

/* Whether a socket here may use this congestion control: 0, -ENOENT (the kernel lacks it) or -EPERM
 * (not in net.ipv4.tcp_allowed_congestion_control, and no CAP_NET_ADMIN). */
int kernel_congestion_usable(const char *name);

/* Bytes: the third figure of net.ipv4.tcp_rmem, which the kernel sizes by the memory there is; 4
 * MiB if unreadable. */
uint32_t kernel_rmem_max(void);

/* Fills out with net.ipv4.tcp_available_congestion_control; "" if unreadable. */
void kernel_congestion_list(char *out, unsigned int size);

#endif
