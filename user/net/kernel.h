/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel offers, probed by doing it. Probed once at start, constant afterwards. */
#ifndef HAWSER_NET_KERNEL_H
#define HAWSER_NET_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

enum feature {
	FEATURE_MPTCP,
	FEATURE_MPTCP_RESET,   /* the peer sees what socket_reset() does */
	FEATURE_MPTCP_OPTIONS, /* MPTCP sockets take all that hawserd sets */
	FEATURE_SUBFLOW_DIAG,  /* sock_diag(7) tells which subflows are backups */
	FEATURE_SPLICE,
	FEATURE_SPLICE_FROM_MPTCP, /* without copying */
	FEATURE_SPLICE_TO_MPTCP,
	FEATURE_BUFFERS, /* sizes of socket buffers beyond net.core.rmem_max */
	FEATURE_BBR,
	FEATURE_COUNT
};

struct feature_state {
	const char *name; /* "mptcp", "splice-from-mptcp", "bbr", ... */
	bool available;
	char reason[160]; /* when not available: why, and what would mend it; else "" */
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

/* Likewise of net.ipv4.tcp_wmem. */
uint32_t kernel_wmem_max(void);

/* Fills out with net.ipv4.tcp_available_congestion_control; "" if unreadable. */
void kernel_congestion_list(char *out, unsigned int size);

#endif
