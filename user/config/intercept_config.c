// SPDX-License-Identifier: GPL-2.0-or-later
/* The section "intercept" of the configuration: its values judged and stored. */
#include "config/intercept_config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ifname.h"
#include "config/settings.h"

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

int intercept_config_set_method(struct intercept_config *config, const struct value *value)
{
	int method = settings_choose_word(value, intercept_method_words);

	if (method < 0)
		return method;
	config->method = (enum intercept_method)method;
	return 0;
}

int intercept_config_add_lan(struct intercept_config *config, const struct value *value)
{
	struct interface *added;

	if (!ifname_is_legal(value->text))
		return value_refuse(value,
				    "not the name of a network interface; legal: " IFNAME_LEGAL);
	added = settings_grow(value, (void **)&config->lan, &config->lan_count, sizeof(*added));
	if (!added)
		return -ENOMEM;
	snprintf(added->name, sizeof(added->name), "%s", value->text);
	return 0;
}

/* The digits at *text, which moves on; 0 for what is no port. */
static uint16_t take_port(const char **text)
{
	const size_t len = strspn(*text, "0123456789");
	const unsigned long port = len >= 1 && len <= 5 ? strtoul(*text, NULL, 10) : 0;

	*text += len;
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

int intercept_config_add_port(struct intercept_config *config, const struct value *value)
{
	const char *at = value->text;
	struct port_range range = {.first = take_port(&at)};
	struct port_range *added;

	range.last = range.first;
	if (*at == '-') {
		at++;
		range.last = take_port(&at);
	}
	if (*at || range.first == 0 || range.last < range.first)
		return value_refuse(value,
				    "not a port or a range of ports; legal: 1 to 65535, as 25 "
				    "or 6000-6063");
	added = settings_grow(value, (void **)&config->bypass_port, &config->bypass_port_count,
			      sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = range;
	return 0;
}

/* Two hexadecimal digits for each byte, with colons between. */
static bool parse_mac(const char *text, struct mac *out)
{
	if (strlen(text) != 3 * MAC_BYTES - 1)
		return false;
	for (size_t i = 0; i < MAC_BYTES; i++) {
		const char *digits = text + 3 * i;

		if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]) ||
		    digits[2] != (i + 1 < MAC_BYTES ? ':' : '\0'))
			return false;
		out->bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

int intercept_config_add_mac(struct intercept_config *config, const struct value *value)
{
	struct mac *added;
	struct mac mac;

	if (!parse_mac(value->text, &mac))
		return value_refuse(value, "not the address of a network card; legal: six bytes as "
					   "00:16:3e:0a:0b:0c");
	added = settings_grow(value, (void **)&config->bypass_mac, &config->bypass_mac_count,
			      sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = mac;
	return 0;
}

int intercept_config_add_domain(struct intercept_config *config, const struct value *value)
{
	size_t len = strlen(value->text);
	struct destination destination;
	struct domain *added;

	if (len > 0 && value->text[len - 1] == '.')
		len--;
	if (value->text[0] == '.' || destination_from_host(&destination, value->text, len, 1) ||
	    destination.host[0] == '\0')
		return value_refuse(value,
				    "not a domain; legal: a name as example.org, which stands "
				    "for all names below it too");
	added = settings_grow(value, (void **)&config->bypass_domain, &config->bypass_domain_count,
			      sizeof(*added));
	if (!added)
		return -ENOMEM;
	for (size_t i = 0; i <= len; i++)
		added->name[i] = (char)tolower((unsigned char)destination.host[i]);
	return 0;
}
