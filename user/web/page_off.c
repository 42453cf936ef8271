/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No page: takes the place of page.c in a build without libmicrohttpd, where nobody asks for it. */
#include "web/page.h"

const char *page_packed(size_t *len)
{
	*len = 0;
	return "";
}

const char *page_text(size_t *len)
{
	*len = 0;
	return NULL;
}

const char *page_policy(void)
{
	return NULL;
}
