/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks hawserd to take the connections of a cgroup. */
#ifndef HAWSER_CLI_RUN_ASK_H
#define HAWSER_CLI_RUN_ASK_H

/* Returns when hawserd takes them; otherwise ends the program. */
void run_ask(const char *control_path, const char *cgroup);

#endif
