/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks hawserd to take the connections of a cgroup. */
#ifndef HAWSER_CLI_RUN_ASK_H
#define HAWSER_CLI_RUN_ASK_H

/* A run_ask_fn; its context is the path of the control socket. Ends the program when hawserd does
 * not. */
void run_ask(void *control_path, const char *cgroup);

#endif
