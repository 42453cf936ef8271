/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "web/web_access.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "config/config.h"
#include "http/http_server.h"

#define HASH_BYTES crypto_generichash_BYTES

static bool is_name(const char *text, size_t len, const char *name)
{
	return *name && strlen(name) == len && strncasecmp(text, name, len) == 0;
}

/* A name that somebody else's name server may lead to us is none of ours; an address is what the
 * browser has connected to. */
static bool is_own_host(const struct metrics_config *config, const char *own_name, const char *host)
{
	size_t len = strcspn(host, ":");
	char address[INET_ADDRSTRLEN];
	struct in_addr ip;

	if (*host == '[')
		return true;
	if (len > 0 && host[len - 1] == '.')
		len--;
	for (size_t i = 0; i < config->host_count; i++)
		if (is_name(host, len, config->host[i].name))
			return true;
	if (is_name(host, len, "localhost") || is_name(host, len, own_name))
		return true;
	if (len >= sizeof(address))
		return false;
	memcpy(address, host, len);
	address[len] = '\0';
	return inet_pton(AF_INET, address, &ip) == 1;
}

/* In the same time whatever is sent: hashes are compared. */
static bool is_token(const char *token, const char *sent)
{
	unsigned char hashes[2][HASH_BYTES];

	crypto_generichash(hashes[0], HASH_BYTES, (const unsigned char *)token, strlen(token), NULL,
			   0);
	crypto_generichash(hashes[1], HASH_BYTES, (const unsigned char *)sent, strlen(sent), NULL,
			   0);
	return sodium_memcmp(hashes[0], hashes[1], HASH_BYTES) == 0;
}

/* A link to the page is followed; what costs is no other page's to ask for. */
static bool is_cross_site(const struct http_call *request)
{
	return request->fetch_site && strcasecmp(request->fetch_site, "cross-site") == 0 &&
	       strcmp(request->path, "/") != 0;
}

enum web_access web_access_judge(const struct config *config, const char *own_name,
				 const struct http_call *request)
{
	static const char scheme[] = "Bearer ";
	const struct metrics_config *metrics = &config->metrics;
	const char *sent = request->authorization;

	if (metrics->token && sent && strncasecmp(sent, scheme, sizeof(scheme) - 1) == 0) {
		sent += sizeof(scheme) - 1;
		sent += strspn(sent, " ");
		/* A page of somebody else's cannot know it, so the host does not matter. */
		return is_token(metrics->token, sent) ? WEB_LET_IN : WEB_WRONG_TOKEN;
	}
	if (!config_metrics_allowed(config, request->client))
		return metrics->token ? WEB_NO_TOKEN : WEB_NOT_ALLOWED;
	/* What is no browser may not say which host it means. */
	if (request->host && !is_own_host(metrics, own_name, request->host))
		return WEB_WRONG_HOST;
	if (is_cross_site(request))
		return WEB_CROSS_SITE;
	return WEB_LET_IN;
}
