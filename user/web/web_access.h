/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who sees metrics and the page. Pure. */
#ifndef HAWSER_WEB_WEB_ACCESS_H
#define HAWSER_WEB_WEB_ACCESS_H

struct config;
struct http_call;

enum web_access {
	WEB_LET_IN,
	WEB_NO_TOKEN, /* none was sent; with one it would do */
	WEB_WRONG_TOKEN,
	WEB_NOT_ALLOWED, /* the address is not, and there is no token */
	WEB_WRONG_HOST,	 /* a browser took us for another: DNS rebinding */
	WEB_CROSS_SITE,	 /* a browser asks for a page of somebody else's */
};

/* own_name: of this host. */
enum web_access web_access_judge(const struct config *config, const char *own_name,
				 const struct http_call *request);

#endif
