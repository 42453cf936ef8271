/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the programs of `hawser run` and user space share. Include <linux/types.h> or <linux/bpf.h>
 * first. */
#ifndef HAWSER_RUN_H
#define HAWSER_RUN_H

/* IPv4 addresses are v4-mapped (RFC 4291 section 2.5.5.2). */
struct hawser_run_address {
	__u32 ip[4]; /* network byte order */
	__u32 port;  /* host byte order; 0: none */
};
_Static_assert(sizeof(struct hawser_run_address) == 20, "shared with the programs");

#endif
