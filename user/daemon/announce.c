/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/announce.h"

#include "accel/local.h"
#include "accel/packets.h"
#include "accel/sockmap.h"
#include "base/log.h"
#include "config/config.h"
#include "net/kernel.h"
#include "net/local_address.h"

static void say_feature(const struct feature_state *feature)
{
	log_info("kernel: %s: %s%s", feature->name, feature->available ? "yes" : "no, ",
		 feature->reason);
}

void announce(const struct config *config, const struct sockmap *sockmap,
	      const struct packets *packets, const struct local *local)
{
	char text[ADDRESS_TEXT_MAX];
	char to[DESTINATION_TEXT_MAX];
	const struct listen_config *socks = NULL;

	for (size_t i = 0; i < config->listen_count; i++) {
		const struct listen_config *listen = &config->listen[i];

		address_format(&listen->address, text);
		/* The warning has said so. */
		if (local_address_check(&listen->address))
			continue;
		if (listen->forward)
			log_info("listening on %s, forwarding to %s", text,
				 destination_format(&listen->to, to));
		else if (listen->metrics)
			log_info("listening on %s, metrics and page: http://%s/", text, text);
		else if (listen->transparent)
			log_info("listening on %s, transparent", text);
		else
			log_info("listening on %s (%sSOCKS5, SOCKS4, SOCKS4a, HTTP)", text,
				 listen->gate ? "exit for tokens, " : "");
		if (!listen->forward && !listen->transparent && !listen->metrics && !listen->gate &&
		    !socks)
			socks = listen;
	}
	for (size_t i = 0; i < config->exit_count; i++)
		log_info("exit %s at %s, priority %u, weight %u", config->exits[i].name,
			 exit_place_format(&config->exits[i].place, to), config->exits[i].priority,
			 config->exits[i].weight);
	for (int i = 0; i < FEATURE_COUNT; i++)
		say_feature(kernel_feature((enum feature)i));
	for (int i = 0; i < SOCKMAP_FEATURE_COUNT; i++)
		say_feature(sockmap_feature(sockmap, (enum sockmap_feature)i));
	if (config_wants_packets(&config->relay))
		say_feature(packets_feature(packets));
	if (config->relay.local_accel)
		say_feature(local_feature(local));
	if (config->mptcp == MPTCP_MODE_ON && !kernel_feature(FEATURE_MPTCP)->available)
		log_warning("mptcp = on, but this kernel has no MPTCP: every connection will fail; "
			    "expected "
			    "mptcp = auto or off");
	if (socks)
		log_info("try: curl -x socks5h://%s http://example.org/",
			 address_format(&socks->address, text));
}
