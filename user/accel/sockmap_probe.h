/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether redirecting works on this kernel, found out by doing it over loopback. Never waits longer
 * than a few seconds. */
#ifndef HAWSER_ACCEL_SOCKMAP_PROBE_H
#define HAWSER_ACCEL_SOCKMAP_PROBE_H

struct sockmap;

/* After sockmap_open(), before workers start. Sends bytes through pairs of TCP and of MPTCP
 * sockets: with unread data at the start, with a target that is full for a while, and (TCP) with
 * data that was received before. Switches on what works, and leaves the reason of what does not. */
void sockmap_probe(struct sockmap *sockmap);

#endif
