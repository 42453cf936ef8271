/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File and options become one struct config that never changes once made. Starts nothing. */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "auth/gate.h"
#include "shared/exit_state.h"

#define WORKERS_MIN_DEFAULT 2
#define WORKERS_MAX_DEFAULT 64
/* A server seldom learns MPTCP, and each look whether it has costs a connection the fast path. */
#define TCP_ONLY_EXPIRY_S_DEFAULT 3600
#define TCP_ONLY_RETRY_DEFAULT	  32

/* A lost SYN is sent again after 1 s; a dead exit is to be known within 3 s. */
#define EXIT_ANSWER_S_DEFAULT 2.5
#define EXIT_PROBE_S_DEFAULT  10
#define STICKY_S_DEFAULT      600

const char *const config_mptcp_words[] = {
	[MPTCP_MODE_AUTO] = "auto", [MPTCP_MODE_ON] = "on", [MPTCP_MODE_OFF] = "off", NULL};
const char *const config_tier_words[] = {
	[TIER_MODE_AUTO] = "auto",	 [TIER_MODE_COPY] = "copy",
	[TIER_MODE_SPLICE] = "splice",	 [TIER_MODE_SOCKMAP] = "sockmap",
	[TIER_MODE_PACKETS] = "packets", NULL};

static unsigned int default_workers(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < WORKERS_MIN_DEFAULT)
		return WORKERS_MIN_DEFAULT;
	return cpus > WORKERS_MAX_DEFAULT ? WORKERS_MAX_DEFAULT : (unsigned int)cpus;
}

struct config *config_new(void)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	*config = (struct config){
		.mptcp = MPTCP_MODE_AUTO,
		.relay = {.tier = TIER_MODE_AUTO, .tune = tune_default, .bpf = true},
		.tcp_only = {.expiry_s = TCP_ONLY_EXPIRY_S_DEFAULT,
			     .retry = TCP_ONLY_RETRY_DEFAULT},
		.congestion = CONGESTION_AUTO,
		.exit_answer_s = EXIT_ANSWER_S_DEFAULT,
		.exit_probe_s = EXIT_PROBE_S_DEFAULT,
		.sticky_s = STICKY_S_DEFAULT,
		.intercept = {.connect_first = true},
		.workers = default_workers(),
		.history = true,
		.log_level = LOG_LEVEL_INFO,
		.timeouts = {.handshake_s = 10,
			     .resolve_s = 10,
			     .connect_s = 30,
			     .idle_s = 86400,
			     .half_closed_s = 900,
			     .drain_s = 30,
			     .event_s = 30}};
	atomic_init(&config->references, 1);
	config->state_dir = strdup(STATE_DIR_DEFAULT);
	config->relay.bpf_pins = strdup(BPF_PINS_DEFAULT);
	if (!config->state_dir || !config->relay.bpf_pins) {
		free(config->state_dir);
		free(config->relay.bpf_pins);
		free(config);
		return NULL;
	}
	return config;
}

static void config_free(struct config *config)
{
	if (config->users.user)
		sodium_memzero(config->users.user,
			       config->users.count * sizeof(*config->users.user));
	free(config->users.user);
	for (size_t i = 0; i < config->gate_count; i++)
		gate_free(config->gates[i]);
	free(config->gates);
	for (size_t i = 0; i < config->exit_count; i++) {
		exit_state_put(config->exits[i].state);
		token_set_free(&config->exits[i].tokens);
		free(config->exits[i].name);
	}
	free(config->exits);
	free(config->listen);
	free(config->allow);
	free(config->own_allow);
	free(config->exit_allow);
	free(config->accept_proxy);
	free(config->announce);
	free(config->send_proxy);
	free(config->control);
	free(config->state_dir);
	free(config->relay.bpf_pins);
	free(config->relay.local_accel);
	free(config->access_log);
	free(config->on_event);
	if (config->metrics.token)
		sodium_memzero(config->metrics.token, strlen(config->metrics.token));
	free(config->metrics.token);
	free(config->metrics.allow);
	free(config->metrics.host);
	intercept_config_fini(&config->intercept);
	free(config->links.link);
	free(config->portal.url);
	free(config->portal.answer);
	free(config);
}

bool config_is_transparent(const struct config *config)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listen[i].transparent)
			return true;
	return false;
}

bool config_connects_first(const struct config *config)
{
	return config->intercept.connect_first && config_is_transparent(config);
}

const struct config *config_get(const struct config *config)
{
	atomic_fetch_add_explicit(&((struct config *)config)->references, 1, memory_order_relaxed);
	return config;
}

void config_put(const struct config *config)
{
	struct config *own = (struct config *)config;

	if (own && atomic_fetch_sub_explicit(&own->references, 1, memory_order_acq_rel) == 1)
		config_free(own);
}

static bool is_in(const struct prefix *list, size_t count, const union address *address)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_contains(&list[i], address))
			return true;
	return false;
}

static bool is_allowed(const struct config *config, const union address *client)
{
	return is_in(config->allow, config->allow_count, client);
}

enum access config_access(const struct config *config, const union address *client)
{
	if (is_allowed(config, client))
		return ACCESS_OPEN;
	if (config->users.count > 0)
		return ACCESS_PASSWORD;
	return address_is_loopback(client) ? ACCESS_OPEN : ACCESS_DENIED;
}

bool config_forward_allowed(const struct config *config, const union address *client)
{
	return address_is_loopback(client) || is_allowed(config, client);
}

bool config_metrics_allowed(const struct config *config, const union address *client)
{
	const struct metrics_config *metrics = &config->metrics;

	return is_in(metrics->allow, metrics->allow_count, client) ||
	       (!metrics->token && address_is_loopback(client));
}

bool config_has_metrics(const struct config *config)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listen[i].metrics)
			return true;
	return false;
}

bool config_accepts_proxy(const struct config *config, const union address *peer)
{
	return is_in(config->accept_proxy, config->accept_proxy_count, peer);
}

bool config_sends_proxy(const struct config *config, const struct destination *destination)
{
	for (size_t i = 0; i < config->send_proxy_count; i++) {
		const struct destination *listed = &config->send_proxy[i];

		if (listed->port != destination->port ||
		    strcasecmp(listed->host, destination->host) != 0)
			continue;
		if (listed->host[0] || address_same_ip(&listed->address, &destination->address))
			return true;
	}
	return false;
}

bool config_wants_packets(const struct relay_config *relay)
{
	return relay->tier == TIER_MODE_PACKETS ||
	       (relay->tier == TIER_MODE_AUTO && relay->packets);
}

struct socket_options config_socket_options(const struct config *config)
{
	const struct tune *tune = &config->relay.tune;

	return (struct socket_options){.unsent_bytes = tune->unsent_bytes,
				       .keepalive_idle_s = tune->keepalive_idle_s,
				       .keepalive_interval_s = tune->keepalive_interval_s};
}

const char *config_listen_kind(const struct listen_config *listen)
{
	if (listen->transparent)
		return "transparent";
	if (listen->metrics)
		return "metrics";
	if (listen->gate)
		return "exit";
	return listen->forward ? "forward" : "socks";
}

const char *config_mptcp_name(enum mptcp_mode mode)
{
	return config_mptcp_words[mode];
}

const char *config_tier_name(enum tier_mode mode)
{
	return config_tier_words[mode];
}
