/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interception by the program bpf/steer.bpf.c: on the LAN's interfaces, off, or is it? All state is
 * in the kernel. Built without BPF, it cannot go up. For the CLI. */
#ifndef HAWSER_INTERCEPT_STEER_H
#define HAWSER_INTERCEPT_STEER_H

#include <stdbool.h>
#include <stddef.h>

struct intercept_plan;
struct json_object;

/* Puts a program for the plan on its interfaces, those that exist, each in the place of one that is
 * there from before; on all of them, or, when that fails, all is as it was. Then takes it off all
 * others. 0, or -errno with a reason; with 0, a reason is a warning. */
int steer_up(const struct intercept_plan *plan, char *reason, size_t size);

/* Takes it off all interfaces. 0, also when there was none, or -errno. */
int steer_down(void);

/* Whether it is on any interface. */
bool steer_is_up(void);

/* Whether it is on this interface, and knows that. */
bool steer_is_on(const char *interface);

/* Whether the program takes listeners with SO_REUSEPORT on this kernel, tried once; false also
 * where that cannot be tried. For hawserd's main thread. */
bool steer_takes_shared(void);

/* As intercept_state(); NULL: it is not up, or may not be looked at. */
struct json_object *steer_state(void);

#endif
