/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a program of ours hangs on an interface: tcx, with Linux 6.6 and later, or a filter of
 * clsact. Others' programs stay as they are. */
#ifndef HAWSER_INTERCEPT_TC_HOOK_H
#define HAWSER_INTERCEPT_TC_HOOK_H

#include <stdbool.h>

enum tc_hook { STEER_TCX, STEER_CLSACT };

/* Of filters: before what others number from 1 or leave to the kernel, which begins at 49152. */
enum tc_priority { TC_PRIORITY_STEER = 684, TC_PRIORITY_PACKETS };

/* A program, by the name that the kernel knows it by, and the priority of its filter. */
struct tc_program {
	const char *name;
	enum tc_priority priority;
};

/* bpf/steer.bpf.c */
extern const struct tc_program tc_steer;

/* Which of them this kernel has. */
enum tc_hook tc_hook_probe(void);

/* A descriptor of our program on this interface, to be closed. -ENOENT: there is none. -EPERM: it
 * takes CAP_SYS_ADMIN to know. Or another -errno. */
int tc_hook_find(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex);

/* The same, of several with that name; nth counts from 0. */
int tc_hook_find_nth(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
		     unsigned int nth);

/* Puts program in the place of replaced, which is what tc_hook_find() returned, or, when that is
 * negative, beside what there is; in one step. Makes clsact if need be. 0 or -errno. */
int tc_hook_attach(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
		   int program, int replaced);

/* 1: this very program is there; 0: it is not, and nothing is in its place; -EBUSY: another one of
 * that priority is, by clsact; or another -errno. */
int tc_hook_look(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
		 int program);

/* With the last of ours goes a clsact that was made for them, unless somebody else has a filter
 * there by now. 0 or -errno. */
int tc_hook_detach(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
		   int program);

/* Of our program on any interface: as tc_hook_find(). */
int tc_hook_find_any(enum tc_hook hook, const struct tc_program *which);

#endif
