/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the set-up of links lasts: counted, and told in the log. */
#include "links/link_upkeep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* One is an interface that has gone meanwhile, as a rule. */
#define FAULT_FAILURES 3

static void note_fault(struct link_upkeep *upkeep, const char *what, int err)
{
	upkeep->failures = err ? upkeep->failures + 1 : 0;
	upkeep->fault[0] = '\0';
	if (upkeep->failures < FAULT_FAILURES)
		return;
	snprintf(upkeep->fault, sizeof(upkeep->fault), "cannot be set up: %s%s%s", what,
		 *what ? ": " : "", strerror(-err));
	if (upkeep->failures == FAULT_FAILURES)
		log_warning("links: %s", upkeep->fault);
}

static void note_crowded(struct link_upkeep *upkeep, const char *crowded)
{
	const bool same = strcmp(upkeep->crowded, crowded) == 0;

	snprintf(upkeep->crowded, sizeof(upkeep->crowded), "%s", crowded);
	if (*crowded && !same && log_seldom(&upkeep->told_crowded))
		log_warning("links: the kernel keeps no more MPTCP endpoints: none for %s",
			    crowded);
}

void link_upkeep_note(struct link_upkeep *upkeep, const struct link_setup *setup, int err)
{
	const char *restored = link_setup_restored(setup);

	/* Without the right to, nothing is. */
	note_fault(upkeep, link_setup_refused(setup), err == -EPERM ? 0 : err);
	note_crowded(upkeep, link_setup_crowded(setup));
	if (!*restored)
		return;
	upkeep->put_back++;
	upkeep->put_back_s = clock_monotonic_s();
	snprintf(upkeep->what, sizeof(upkeep->what), "%s", restored);
	if (log_seldom(&upkeep->told))
		log_warning("links: somebody deleted what was set up (%s); put back (%" PRIu64
			    " times by now)",
			    restored, upkeep->put_back);
}
