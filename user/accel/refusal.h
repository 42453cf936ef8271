/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why the kernel has none of a BPF program. */
#ifndef HAWSER_ACCEL_REFUSAL_H
#define HAWSER_ACCEL_REFUSAL_H

#include "net/kernel.h"

/* The feature is off from now on: what was refused, and by which -errno; 0: that alone says it. */
void refusal_note(struct feature_state *feature, const char *what, int err);

/* -errno of an update of a hash map that takes memory on use. It has a little ready, of which a
 * burst may want more: then -EAGAIN. */
int refusal_of_hash(void);

#endif
