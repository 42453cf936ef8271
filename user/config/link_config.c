/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link is: words that configuration, path set-up and output share. */
#include "config/link_config.h"

const char *const links_mode_words[] = {
	[LINKS_LISTED] = "listed", [LINKS_AUTO] = "auto", [LINKS_MANUAL] = "manual", NULL};
const char *const link_role_words[] = {
	[LINK_ROLE_PRIMARY] = "primary", [LINK_ROLE_SHARED] = "shared",
	[LINK_ROLE_BACKUP] = "backup",	 [LINK_ROLE_METERED] = "metered",
	[LINK_ROLE_OFF] = "off",	 NULL};

bool links_are_wanted(const struct links_config *config)
{
	return config->mode == LINKS_AUTO || config->count > 0;
}
