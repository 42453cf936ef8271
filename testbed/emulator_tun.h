/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TUN device in a network namespace. It is gone when its descriptor is closed. */
#ifndef EMULATOR_TUN_H
#define EMULATOR_TUN_H

#include <stdbool.h>

/* Makes the device in the namespace of this path, leaves the calling thread there, and returns a
 * non-blocking descriptor, or -errno; what then says which step failed. Frames have a struct
 * virtio_net_hdr before the IP packet. */
int tun_make(const char *namespace_path, const char *device, const char **what);

/* Returns 0 or -errno. */
int tun_set_carrier(int tun_fd, bool on);

#endif
