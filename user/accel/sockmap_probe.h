/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether redirecting works on this kernel, found out by doing it over loopback. Never waits longer
 * than a few seconds. */
#ifndef HAWSER_ACCEL_SOCKMAP_PROBE_H
#define HAWSER_ACCEL_SOCKMAP_PROBE_H

#include <stddef.h>

struct accel_worker;

/* Sends bytes through a pair of sockets of that protocol (IPPROTO_TCP, IPPROTO_MPTCP): with unread
 * data at the start, with a target that is full for a while, and (TCP) with data that was received
 * before. 0, or -errno with the reason. */
int accel_probe(struct accel_worker *worker, int protocol, char *reason, size_t size);

#endif
