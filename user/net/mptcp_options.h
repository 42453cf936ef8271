/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which options that hawserd sets this kernel's MPTCP sockets refuse, and what is done without. */
#ifndef HAWSER_NET_MPTCP_OPTIONS_H
#define HAWSER_NET_MPTCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define MPTCP_OPTIONS_MAX 8

struct mptcp_option {
	const char *name; /* as in tcp(7) and ip(7) */
	int level;
	int option;
	const char *without; /* what follows from a refusal, for people */
	bool harms;	     /* that is less than what was promised */
};

/* Fills refused, and returns how many there are. 0 also when no MPTCP socket can be had. */
size_t mptcp_options_try(const struct mptcp_option *refused[MPTCP_OPTIONS_MAX]);

#endif
