/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which congestion control a connected MPTCP socket gets. */
#ifndef HAWSER_SESSION_CONGESTION_H
#define HAWSER_SESSION_CONGESTION_H

#include "config/config.h"
#include "net/mptcp.h"

/* Applies the configuration to a connected socket; nothing to do for plain TCP. Failures are logged
 * at debug: the connection goes on with what it has. */
void congestion_choose(const struct config *config, int fd, enum transport transport);

#endif
