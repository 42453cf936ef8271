/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this kernel can be asked about TCP sockets by sock_diag(7), found out by asking. */
#ifndef HAWSER_NET_DIAG_PROBE_H
#define HAWSER_NET_DIAG_PROBE_H

/* 0 or -errno; -EPROTONOSUPPORT or -ENOENT where it is built without. */
int diag_probe_tcp(void);

#endif
