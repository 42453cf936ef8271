/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cgroup of one `hawser run`: made, entered, and removed with all that is in it. Complains to
 * standard error. */
#ifndef HAWSER_CLI_RUN_CGROUP_H
#define HAWSER_CLI_RUN_CGROUP_H

#include <limits.h>
#include <stdbool.h>

struct run_cgroup {
	char base[PATH_MAX]; /* the cgroup that it is made in */
	char path[PATH_MAX];
	int lock; /* while somebody has it, later runs leave the cgroup alone */
};

/* Makes a cgroup below that of the caller, or, with outside, below the one that the outermost
 * `hawser run` around the caller began in. Removes what runs left behind that were killed. False
 * after complaining. */
bool run_cgroup_make(struct run_cgroup *cgroup, bool outside);

/* Moves the caller there. False with errno. */
bool run_cgroup_enter(const char *path);

/* Kills all that is in it. */
void run_cgroup_kill(const struct run_cgroup *cgroup);

/* Returns when no process is left in it. */
void run_cgroup_wait(const struct run_cgroup *cgroup);

/* False while there are processes in it. */
bool run_cgroup_remove(const struct run_cgroup *cgroup);

#endif
