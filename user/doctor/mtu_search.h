/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the largest packet that passes a path, from what became of packets of several sizes at
 * once: each that vanishes costs a wait, so they wait together. Pure. */
#ifndef HAWSER_DOCTOR_MTU_SEARCH_H
#define HAWSER_DOCTOR_MTU_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#define MTU_SEARCH_SIZES 16 /* of one round */

struct mtu_search {
	unsigned int passes; /* the largest size that is known to pass */
	unsigned int fails;  /* the smallest that is known not to; larger than passes */
};

/* Fills out with what to send next, ascending; returns how many: 0 when passes is the answer. */
size_t mtu_search_next(const struct mtu_search *search, unsigned int out[MTU_SEARCH_SIZES]);

/* What became of them. One that passed although a smaller one did not counts: that one was lost. */
void mtu_search_take(struct mtu_search *search, const unsigned int *sizes, const bool *passed,
		     size_t count);

#endif
