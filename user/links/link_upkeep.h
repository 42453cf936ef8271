/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the set-up of links lasts: what others have deleted of it, and what cannot be put back. */
#ifndef HAWSER_LINKS_LINK_UPKEEP_H
#define HAWSER_LINKS_LINK_UPKEEP_H

#include <stdint.h>

#include "base/log_seldom.h"
#include "links/link_setup.h"

struct link_upkeep {
	char fault[192]; /* why what is needed cannot be set up; "" when it is */
	char crowded[LINK_SETUP_CROWDED_MAX]; /* addresses without room for; "": none */
	unsigned int failures;		      /* in a row */
	uint64_t put_back;		      /* how often others have deleted what was set up */
	double put_back_s;		      /* when it was last */
	char what[80];			      /* it was then */
	struct log_seldom told;
	struct log_seldom told_crowded;
};

/* After each link_setup_apply(), which has returned err. */
void link_upkeep_note(struct link_upkeep *upkeep, const struct link_setup *setup, int err);

#endif
