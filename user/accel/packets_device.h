/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices that the program bpf/packets.bpf.c looks at: those that pairs have needed so far. */
#ifndef HAWSER_ACCEL_PACKETS_DEVICE_H
#define HAWSER_ACCEL_PACKETS_DEVICE_H

struct packets_devices;
struct tc_program;

/* For devices with Ethernet headers, and for those whose packets begin with IP's. */
extern const struct tc_program packets_ethernet;
extern const struct tc_program packets_bare;

/* Descriptors of the two programs, for devices with Ethernet headers and without; they outlive it.
 * NULL: out of memory. */
struct packets_devices *packets_devices_open(int ethernet, int bare);

/* Takes it off all of them. packets_devices_close(NULL) does nothing. */
void packets_devices_close(struct packets_devices *devices);

/* Any thread. 0; -EOPNOTSUPP: a kind of device that the program does not know; or another -errno.
 */
int packets_devices_attend(struct packets_devices *devices, int ifindex);

/* Any thread, once a second: puts it back where it was taken off and is missing at the next look as
 * well, unless another program is in its place; ever more rarely where that happens again and
 * again. Forgets devices that are gone. */
void packets_devices_tend(struct packets_devices *devices);

#endif
