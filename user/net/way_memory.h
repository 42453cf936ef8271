/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has answered about destinations of late, so that it need not be asked for each
 * connection. Any event about routes, rules, addresses or interfaces makes it forget everything;
 * as events may be lost, an answer counts for a second at most. */
#ifndef HAWSER_NET_WAY_MEMORY_H
#define HAWSER_NET_WAY_MEMORY_H

#include <stdbool.h>

#include "base/address.h"

struct way_memory;

enum way_question { WAY_IS_OWN, WAY_DEFAULT };

/* NULL, with errno set, when the kernel does not tell of events. */
struct way_memory *way_memory_open(void);
void way_memory_close(void *memory); /* a struct way_memory *; NULL is allowed */

/* Whether the answer is known. Address, port and zone count. memory NULL: no. */
bool way_memory_find(struct way_memory *memory, enum way_question question, const union address *to,
		     int *answer);

/* After way_memory_find() has said no, and the kernel another. */
void way_memory_keep(struct way_memory *memory, enum way_question question, const union address *to,
		     int answer);

#endif
