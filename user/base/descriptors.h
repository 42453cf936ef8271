/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many file descriptors clients' traffic may use, so that there are always some for the control
 * socket, listeners, probes and name servers. Counts; opens and closes nothing. Any thread. */
#ifndef HAWSER_BASE_DESCRIPTORS_H
#define HAWSER_BASE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

enum descriptor_use {
	DESCRIPTORS_SESSION, /* counted in sessions: the client's socket and the destination's */
	/* It works without these, if less well: */
	DESCRIPTORS_PIPE,    /* counted in pipes */
	DESCRIPTORS_ATTEMPT, /* of a dial, beside its first */
	DESCRIPTOR_USE_COUNT
};

/* Before that there is no limit. */
void descriptors_limit(enum descriptor_use use, uint32_t max);

uint32_t descriptors_max(enum descriptor_use use);

/* Takes so many; false when there are not so many left. */
bool descriptors_take(enum descriptor_use use, uint32_t count);
void descriptors_give(enum descriptor_use use, uint32_t count);

#endif
