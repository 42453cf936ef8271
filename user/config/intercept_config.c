/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections the section "intercept" of the configuration means. */
#include "config/intercept_config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void intercept_config_fini(struct intercept_config *config)
{
	free(config->lan);
	free(config->bypass_destination);
	free(config->bypass_source);
	free(config->bypass_port);
	free(config->bypass_mac);
	free(config->bypass_domain);
}

bool intercept_config_bypasses(const struct intercept_config *config, const char *name)
{
	size_t len = strlen(name);

	if (len > 0 && name[len - 1] == '.')
		len--;
	for (size_t i = 0; i < config->bypass_domain_count; i++) {
		const char *domain = config->bypass_domain[i].name;
		const size_t domain_len = strlen(domain);

		if (len < domain_len ||
		    strncasecmp(name + len - domain_len, domain, domain_len) != 0)
			continue;
		if (len == domain_len || name[len - domain_len - 1] == '.')
			return true;
	}
	return false;
}

bool intercept_config_bypasses_address(const struct intercept_config *config,
				       const union address *address)
{
	const uint16_t port = address_port(address);

	for (size_t i = 0; i < config->bypass_destination_count; i++)
		if (prefix_contains(&config->bypass_destination[i], address))
			return true;
	for (size_t i = 0; i < config->bypass_port_count; i++)
		if (port >= config->bypass_port[i].first && port <= config->bypass_port[i].last)
			return true;
	return false;
}
