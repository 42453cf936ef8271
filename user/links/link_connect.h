/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TCP connection of our own by a link. */
#ifndef HAWSER_LINKS_LINK_CONNECT_H
#define HAWSER_LINKS_LINK_CONNECT_H

#include "base/address.h"

/* A socket that connects, and is to be closed with nothing left over, connected or not; -1 when it
 * cannot even begin. */
int link_connect(const char *device, const union address *from, const union address *to);

#endif
