/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program bpf/steer.bpf.c, loaded and told what to take; nothing is attached. */
#ifndef HAWSER_INTERCEPT_STEER_LOAD_H
#define HAWSER_INTERCEPT_STEER_LOAD_H

struct intercept_plan;
struct steer_bpf;

/* The program's skeleton, not loaded yet; to be closed by steer_bpf__destroy(). NULL with errno
 * set. steer_bpf__open() itself is called in one place, as each has the whole object in it. */
struct steer_bpf *steer_open(void);

/* The program in memory, to be closed, with all of the plan but the interfaces in its maps, and a
 * first beat, since hawserd has just answered. 0 or -errno. */
int steer_load(const struct intercept_plan *plan, struct steer_bpf **out);

#endif
