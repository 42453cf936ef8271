/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What local.c and local_probe.c, its trial at start, share. */
#ifndef HAWSER_ACCEL_LOCAL_PRIVATE_H
#define HAWSER_ACCEL_LOCAL_PRIVATE_H

#include <stddef.h>

struct local_worker;

/* Whether a client's bytes reach us past TCP and in order on this kernel, by doing it over
 * loopback. 0, or -errno with the reason. */
int local_probe(struct local_worker *worker, char *reason, size_t size);

#endif
