/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page that browsers show: page.html, which the build puts into the program, compressed. */
#ifndef HAWSER_WEB_PAGE_H
#define HAWSER_WEB_PAGE_H

#include <stddef.h>

/* As by gzip(1). Lasts as long as the program. */
const char *page_packed(size_t *len);

/* For the few that take no gzip; from the first on it is kept. Lasts as long as the program. NULL
 * when out of memory. */
const char *page_text(size_t *len);

/* The policy for it: nothing from elsewhere, and no script or style but its own. Lasts as long as
 * the program. NULL when out of memory. */
const char *page_policy(void);

#endif
