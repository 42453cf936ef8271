/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connect first, accept after: the first packet of a transparent client is held until its
 * destination has taken the connection, and answered as the destination, or a router, would when it
 * has not. One worker holds for all. */
#ifndef HAWSER_SESSION_HOLD_H
#define HAWSER_SESSION_HOLD_H

#include <stdbool.h>

#include "net/syn_socket.h"

struct hold;
struct meeting;
struct session_env;

#define HOLD_FDS (SYN_SOCKET_FDS + 1)

/* What is dialled for sessions that have not been accepted yet. NULL when out of memory. */
struct meeting *hold_meeting(void);

/* env outlives it, with the rest of it filled in before hold_configure(). NULL when out of memory.
 */
struct hold *hold_open(struct session_env *env);
void hold_close(struct hold *hold); /* NULL is allowed */

/* Holds from now on, or no more; what is held when it ends is forgotten, and comes again. */
void hold_configure(struct hold *hold, bool wanted);

/* Before that, when the rules bring it no more, and sessions are still accepted, by this hawserd or
 * another: what is held is accepted first, and dialled again. */
void hold_admit_all(struct hold *hold);

/* Whether rules may bring it packets. Any thread. */
bool hold_is_ready(const struct hold *hold);

#endif
