/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells whoever manages this process how it is: systemd by NOTIFY_SOCKET, as in sd_notify(3), or
 * the keeper of this hawserd by NOTIFY_KEEPER. Nobody is told where neither is set, or when nobody
 * reads. */
#ifndef HAWSER_BASE_NOTIFY_H
#define HAWSER_BASE_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

/* The number of a descriptor. */
#define NOTIFY_KEEPER "HAWSER_NOTIFY_FD"

#define NOTIFY_FDS_MAX 64 /* with one message */

/* text: lines as "READY=1". fds (NULL: none) go with it. */
void notify_send(const char *text, const int *fds, size_t count);

/* Whether a service manager listens, which then keeps sockets (FDSTORE=1). */
bool notify_is_heard(void);

/* How often to say that all is well; seconds, 0: nobody asks. */
double notify_watchdog_s(void);

#endif
