/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the set-up of links lasts: counted, and told in the log. */
#include "links/link_upkeep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* One is an interface that has gone meanwhile, as a rule. */
#define FAULT_FAILURES 3

static void note_fault(struct link_upkeep *upkeep, int err)
{
	upkeep->failures = err ? upkeep->failures + 1 : 0;
	upkeep->fault[0] = '\0';
	if (upkeep->failures < FAULT_FAILURES)
		return;
	snprintf(upkeep->fault, sizeof(upkeep->fault), "cannot be set up: %s", strerror(-err));
	if (upkeep->failures == FAULT_FAILURES)
		log_warning("links: %s", upkeep->fault);
}

void link_upkeep_note(struct link_upkeep *upkeep, const char *restored, int err)
{
	note_fault(upkeep, err);
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
