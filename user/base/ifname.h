/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of network interfaces. */
#ifndef HAWSER_BASE_IFNAME_H
#define HAWSER_BASE_IFNAME_H

#include <stdbool.h>

#define IFNAME_LEGAL "1 to 15 of the characters a-z A-Z 0-9 . _ @ : + -"

/* Whether this is a name that interfaces commonly have: stricter than the kernel, which takes
 * quotes and stars too. The interface need not exist. */
bool ifname_is_legal(const char *name);

#endif
