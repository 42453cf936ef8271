/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hawser intercept` makes rules of, as JSON. */
#include "daemon/report_intercept.h"

#include <stdio.h>

#include "config/intercept_method.h"
#include "daemon/report_put.h"
#include "links/links.h"
#include "shared/exit_state.h"

static struct json_object *report_prefixes(const struct prefix *list, size_t count)
{
	struct json_object *array = json_object_new_array();
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		append(array, json_object_new_string(prefix_format(&list[i], text)));
	return array;
}

static struct json_object *report_ports(const struct port_range *list, size_t count)
{
	struct json_object *array = json_object_new_array();
	char text[sizeof("65535-65535")];

	for (size_t i = 0; i < count; i++) {
		if (list[i].first == list[i].last)
			snprintf(text, sizeof(text), "%u", list[i].first);
		else
			snprintf(text, sizeof(text), "%u-%u", list[i].first, list[i].last);
		append(array, json_object_new_string(text));
	}
	return array;
}

static struct json_object *report_macs(const struct mac *list, size_t count)
{
	struct json_object *array = json_object_new_array();
	char text[3 * MAC_BYTES];

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < MAC_BYTES; j++)
			snprintf(text + 3 * j, sizeof(text) - 3 * j, "%02x%s", list[i].bytes[j],
				 j + 1 < MAC_BYTES ? ":" : "");
		append(array, json_object_new_string(text));
	}
	return array;
}

static struct json_object *report_interfaces(const struct interface *list, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		append(array, json_object_new_string(list[i].name));
	return array;
}

static struct json_object *report_domains(const struct domain *list, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		append(array, json_object_new_string(list[i].name));
	return array;
}

static struct json_object *report_transparent_listeners(const struct config *config)
{
	struct json_object *array = json_object_new_array();
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listen[i].transparent)
			append(array, json_object_new_string(
					      address_format(&config->listen[i].address, text)));
	return array;
}

/* Those of exits, as prefixes. What a client sends to an exit's machine is not for the exit. */
static void report_exit_addresses(const struct config *config, struct json_object *array)
{
	union address known[EXIT_ADDRESSES_MAX];
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < config->exit_count; i++) {
		struct exit_state *state = config->exits[i].state;

		for (size_t n = state ? exit_state_get_addresses(state, known) : 0; n > 0; n--) {
			struct prefix prefix = {.base = known[n - 1], .bits = 32};

			if (prefix.base.sa.sa_family == AF_INET6)
				prefix.bits = 128;
			append(array, json_object_new_string(prefix_format(&prefix, text)));
		}
	}
}

static struct json_object *report_link_devices(const struct links *links)
{
	struct json_object *array = json_object_new_array();
	size_t count = 0;
	const struct link *list = links ? links_list(links, &count) : NULL;

	for (size_t i = 0; i < count; i++)
		if (list[i].config.role != LINK_ROLE_OFF)
			append(array, json_object_new_string(list[i].config.device));
	return array;
}

struct json_object *report_intercept_settings(const struct config *whole, const struct links *links,
					      const char *control)
{
	const struct intercept_config *config = &whole->intercept;
	struct json_object *answer = json_object_new_object();
	struct json_object *bypass = json_object_new_object();
	struct json_object *destination;

	put_text(answer, "method", intercept_method_words[config->method]);
	put(answer, "listeners", report_transparent_listeners(whole));
	put(answer, "lan", report_interfaces(config->lan, config->lan_count));
	destination = report_prefixes(config->bypass_destination, config->bypass_destination_count);
	report_exit_addresses(whole, destination);
	put(bypass, "destination", destination);
	put(bypass, "source", report_prefixes(config->bypass_source, config->bypass_source_count));
	put(bypass, "port", report_ports(config->bypass_port, config->bypass_port_count));
	put(bypass, "mac", report_macs(config->bypass_mac, config->bypass_mac_count));
	put(bypass, "domain", report_domains(config->bypass_domain, config->bypass_domain_count));
	put(answer, "bypass", bypass);
	put(answer, "transparent_source", json_object_new_boolean(config->transparent_source));
	put(answer, "connect_first", json_object_new_boolean(config->connect_first));
	/* Links may have routes of their own, and an exit has others. */
	put(answer, "needs_route",
	    json_object_new_boolean(whole->exit_count == 0 && !links_are_wanted(&whole->links)));
	put(answer, "prefer_name", json_object_new_boolean(config->prefer_name));
	put(answer, "auto_bypass", json_object_new_boolean(config->auto_bypass));
	put_count(answer, "auto_bypass_retry", whole->tcp_only.retry);
	put_text(answer, "control", control ? control : "");
	put(answer, "links", report_link_devices(links));
	return answer;
}

void report_intercept_figures(struct json_object *answer, const struct stats *sum)
{
	put_count(answer, "sessions", sum->protocols[PROTOCOL_TRANSPARENT]);
	put_count(answer, "bypassed_by_name", sum->bypassed_by_name);
}
