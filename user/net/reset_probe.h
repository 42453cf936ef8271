/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a reset of an MPTCP connection is seen as one, found out by doing it over loopback. */
#ifndef HAWSER_RESET_PROBE_H
#define HAWSER_RESET_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether its peer sees ECONNRESET after socket_reset(), whichever side it is; else reason, of size
 * bytes, says why not. */
bool reset_probe_mptcp(char *reason, size_t size);

#endif
