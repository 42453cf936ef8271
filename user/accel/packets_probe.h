/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether packets can be forwarded on this kernel, found out by doing it: the program over packets
 * made for it, and a connection over loopback whose socket rests and comes back. */
#ifndef HAWSER_ACCEL_PACKETS_PROBE_H
#define HAWSER_ACCEL_PACKETS_PROBE_H

struct packets;

/* Main thread, after packets_open(): packets_set_tried(). */
void packets_probe(struct packets *packets);

#endif
