/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hawserd --keeper: a process that carries nothing and starts the one that does. It keeps the
 * listening sockets, so that the hawserd after it misses no client, and ends at once when it is
 * told to, while the one behind it finishes its sessions. */
#ifndef HAWSER_DAEMON_KEEPER_H
#define HAWSER_DAEMON_KEEPER_H

#include <stdbool.h>

/* Does not return. argv is what its hawserds are started with, from the program's file as it is
 * then. */
__attribute__((noreturn)) void keeper_run(char **argv);

/* Whether this process has been started by a keeper. */
bool keeper_is_behind(void);

/* To be called first by who has: it ends in order when its keeper is gone. */
void keeper_follow(void);

/* Has the keeper start another hawserd, which takes over once it serves. False: there is none. */
bool keeper_ask_upgrade(void);

#endif
