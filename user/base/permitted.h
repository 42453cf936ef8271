/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities of this process. */
#ifndef HAWSER_BASE_PERMITTED_H
#define HAWSER_BASE_PERMITTED_H

#include <stdint.h>

/* A bit for each capability that is permitted, by its number. 0 or -errno. */
int permitted_get(uint64_t *permitted);

#endif
