/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hawserds that have left links and rules to another one, and whose sessions still use them. */
#ifndef HAWSER_LINKS_LEFT_BEHIND_H
#define HAWSER_LINKS_LEFT_BEHIND_H

#include <stdbool.h>

/* From now on this one is such, until its process ends. */
void left_behind_join(void);

/* Whether there are others in this network namespace. */
bool left_behind_others(void);

#endif
