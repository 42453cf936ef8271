/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How captive portals are noticed: judged and stored. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/settings_private.h"

static const char scheme[] = "http://";

static int refuse(const struct value *value)
{
	return value_refuse(value,
			    "expected auto, off, or http://HOST[:PORT][/PATH] of printable ASCII "
			    "without blanks, of at most %d bytes; no https, which a portal "
			    "cannot answer",
			    PORTAL_URL_MAX - 1);
}

/* "HOST", "HOST:PORT", "[ADDR6]" or "[ADDR6]:PORT". */
static bool read_host(const char *host, size_t len, struct destination *out)
{
	char text[PORTAL_URL_MAX];

	if (destination_from_host(out, host, len, 80) == 0)
		return true;
	memcpy(text, host, len);
	text[len] = '\0';
	return destination_parse(text, out) == 0;
}

int settings_portal_check(const struct value *value, const struct limits *limits, void *out)
{
	struct portal_config *portal = out;
	const char *host = value->text + strlen(scheme);
	char *url;

	(void)limits;
	free(portal->url);
	portal->url = NULL;
	portal->mode = strcmp(value->text, "off") == 0 ? PORTAL_OFF : PORTAL_AUTO;
	if (portal->mode == PORTAL_OFF || strcmp(value->text, "auto") == 0)
		return 0;
	if (strncasecmp(value->text, scheme, strlen(scheme)) != 0 ||
	    strlen(value->text) >= PORTAL_URL_MAX ||
	    !read_host(host, strcspn(host, "/?#"), &portal->at))
		return refuse(value);
	for (const char *at = host; *at; at++)
		if (*at <= ' ' || *at > '~')
			return refuse(value);
	url = strdup(value->text);
	if (!url)
		return value_refuse_no_memory(value);
	portal->url = url;
	portal->mode = PORTAL_URL;
	return 0;
}

int settings_finish_portal(const struct config *config)
{
	const char *answer = config->portal.answer;

	if (!answer)
		return 0;
	if (strlen(answer) > PORTAL_TEXT_MAX) {
		log_error("portal-answer: %zu bytes; expected at most %d", strlen(answer),
			  PORTAL_TEXT_MAX);
		return -EINVAL;
	}
	if (config->portal.mode == PORTAL_URL)
		return 0;
	log_error("portal-answer \"%s\": nothing is asked that could answer; expected portal-check "
		  "= \"http://HOST/PATH\" as well",
		  answer);
	return -EINVAL;
}
