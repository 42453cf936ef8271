/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether hawserd could start with a configuration, without starting anything. */
#ifndef HAWSER_DAEMON_START_CHECK_H
#define HAWSER_DAEMON_START_CHECK_H

struct config;

/* What may be otherwise at the start, as a port that is in use, is only warned of. 0, or -errno
 * after logging. */
int start_check(const struct config *config);

#endif
