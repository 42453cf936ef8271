/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value of the configuration, from file or option alike: judged and stored. */
#include "config/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "net/kernel.h"

#define WORKERS_MAX   64
#define RETRY_MAX     1000000
#define TICK_US_MIN   100
#define TICK_US_MAX   100000
#define TIMEOUT_MIN_S 0.1
#define TIMEOUT_MAX_S 604800.0 /* a week */

#define ADDRESS_LEGAL "ADDR:PORT or [ADDR6]:PORT, ADDR an IP address, PORT 1 to 65535"

const char *const settings_mptcp_words[] = {
	[MPTCP_MODE_AUTO] = "auto", [MPTCP_MODE_ON] = "on", [MPTCP_MODE_OFF] = "off", NULL};
const char *const settings_tier_words[] = {[TIER_MODE_AUTO] = "auto",
					   [TIER_MODE_COPY] = "copy",
					   [TIER_MODE_SPLICE] = "splice",
					   [TIER_MODE_SOCKMAP] = "sockmap",
					   NULL};
/* Odd ones are on. */
static const char *const switch_words[] = {"off", "on", "no", "yes", NULL};
static const char *const log_level_words[] = {[LOG_LEVEL_ERROR] = "error",
					      [LOG_LEVEL_WARNING] = "warning",
					      [LOG_LEVEL_INFO] = "info",
					      [LOG_LEVEL_DEBUG] = "debug",
					      NULL};

void value_log(enum log_level level, const struct value *value, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (value->file)
		log_write(level, "%s:%u: %s \"%s\": %s", value->file, value->line, value->name,
			  value->typed, message);
	else
		log_write(level, "%s %s: %s", value->name, value->typed, message);
}

int value_refuse_no_memory(const struct value *value)
{
	value_log(LOG_LEVEL_ERROR, value, "%s", strerror(ENOMEM));
	return -ENOMEM;
}

/* Appends "word, word" to out. */
static void list_add(char *out, size_t size, const char *word)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s%s", used ? ", " : "", word);
}

int settings_choose_word(const struct value *value, const char *const *words)
{
	char legal[128] = "";

	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], value->text) == 0)
			return i;
		list_add(legal, sizeof(legal), words[i]);
	}
	return value_refuse(value, "no such choice; legal: %s", legal);
}

static int set_workers(struct config *config, const struct value *value)
{
	unsigned long workers;

	workers = strtoul(value->text, NULL, 10);
	if (!*value->text || value->text[strspn(value->text, "0123456789")] || workers < 1 ||
	    workers > WORKERS_MAX)
		return value_refuse(value, "not a number of workers; legal: 1 to %d", WORKERS_MAX);
	config->workers = (unsigned int)workers;
	return 0;
}

static int set_seconds(double *out, const struct value *value)
{
	double seconds;
	char *end;

	seconds = strtod(value->text, &end);
	/* strtod() also takes "0x1p3", "inf" and " 1". */
	if (!*value->text || value->text[strspn(value->text, "0123456789.")] || *end ||
	    seconds < TIMEOUT_MIN_S || seconds > TIMEOUT_MAX_S)
		return value_refuse(value, "not a number of seconds; legal: %.1f to %.0f",
				    TIMEOUT_MIN_S, TIMEOUT_MAX_S);
	*out = seconds;
	return 0;
}

static int set_control(struct config *config, const struct value *value)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	char *path;

	if (!*value->text || strlen(value->text) > max)
		return value_refuse(value, "not the path of a socket; legal: 1 to %zu bytes", max);
	path = strdup(value->text);
	if (!path)
		return value_refuse_no_memory(value);
	free(config->control);
	config->control = path;
	config->control_is_default = false;
	return 0;
}

static int set_log_level(struct config *config, const struct value *value)
{
	int level = settings_choose_word(value, log_level_words);

	if (level < 0)
		return level;
	config->log_level = (enum log_level)level;
	return 0;
}

static int set_mptcp(struct config *config, const struct value *value)
{
	int mode = settings_choose_word(value, settings_mptcp_words);

	if (mode < 0)
		return mode;
	config->mptcp = (enum mptcp_mode)mode;
	return 0;
}

static int set_links(struct config *config, const struct value *value)
{
	int mode = settings_choose_word(value, links_mode_words);

	if (mode < 0)
		return mode;
	config->links.mode = (enum links_mode)mode;
	return 0;
}

static int set_tcp_only_retry(struct config *config, const struct value *value)
{
	unsigned long retry = strtoul(value->text, NULL, 10);

	if (!*value->text || value->text[strspn(value->text, "0123456789")] || retry < 1 ||
	    retry > RETRY_MAX)
		return value_refuse(value, "not a number of dials; legal: 1 to %d", RETRY_MAX);
	config->tcp_only.retry = (uint32_t)retry;
	return 0;
}

static int set_tier(struct config *config, const struct value *value)
{
	int mode = settings_choose_word(value, settings_tier_words);

	if (mode < 0)
		return mode;
	config->relay.tier = (enum tier_mode)mode;
	return 0;
}

int settings_read_switch(const struct value *value, bool *out)
{
	int on = settings_choose_word(value, switch_words);

	if (on < 0)
		return on;
	*out = on % 2;
	return 0;
}

static int set_bpf(struct config *config, const struct value *value)
{
	return settings_read_switch(value, &config->relay.bpf);
}

static int set_torture(struct config *config, const struct value *value)
{
	return settings_read_switch(value, &config->relay.torture);
}

static int set_directory(char **directory, const struct value *value, const char *legal)
{
	char *path;

	if (value->text[0] != '/')
		return value_refuse(value, "not the path of a directory; legal: %s", legal);
	path = strdup(value->text);
	if (!path)
		return value_refuse_no_memory(value);
	free(*directory);
	*directory = path;
	return 0;
}

static int set_state_dir(struct config *config, const struct value *value)
{
	return set_directory(&config->state_dir, value, "an absolute path, as " STATE_DIR_DEFAULT);
}

static int set_bpf_pins(struct config *config, const struct value *value)
{
	return set_directory(&config->relay.bpf_pins, value,
			     "an absolute path in a bpffs, as " BPF_PINS_DEFAULT);
}

static int set_tick(struct config *config, const struct value *value)
{
	unsigned long us;

	if (strcmp(value->text, "auto") == 0 || strcmp(value->text, "off") == 0) {
		config->relay.tick.mode = *value->text == 'a' ? TICK_MODE_AUTO : TICK_MODE_OFF;
		return 0;
	}
	us = strtoul(value->text, NULL, 10);
	if (!*value->text || value->text[strspn(value->text, "0123456789")] || us < TICK_US_MIN ||
	    us > TICK_US_MAX)
		return value_refuse(value, "not a tick; legal: auto, off, or %d to %d microseconds",
				    TICK_US_MIN, TICK_US_MAX);
	config->relay.tick = (struct tick_config){TICK_MODE_FIXED, (uint32_t)us};
	return 0;
}

static int set_local_accel(struct config *config, const struct value *value)
{
	const char *const legal = "legal: the directory of a cgroup, as "
				  "/sys/fs/cgroup/user.slice, in a cgroup2 file system";
	struct statfs fs;
	char *path;

	if (statfs(value->text, &fs))
		return value_refuse(value, "%s; %s", strerror(errno), legal);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return value_refuse(value, "not in a cgroup2 file system; %s", legal);
	path = strdup(value->text);
	if (!path)
		return value_refuse_no_memory(value);
	free(config->relay.local_accel);
	config->relay.local_accel = path;
	return 0;
}

static int set_congestion(struct config *config, const struct value *value)
{
	char list[256];
	int err = -ENOENT;

	if (strcmp(value->text, "auto") == 0) {
		config->congestion = CONGESTION_AUTO;
		return 0;
	}
	if (strcmp(value->text, "system") == 0) {
		config->congestion = CONGESTION_SYSTEM;
		return 0;
	}
	/* The kernel would look up a cut name. */
	if (strlen(value->text) < CONGESTION_NAME_MAX)
		err = kernel_congestion_usable(value->text);
	if (err == -EPERM)
		return value_refuse(value,
				    "the kernel has it but not for hawserd; legal: auto, system, "
				    "what net.ipv4.tcp_allowed_congestion_control lists (add it "
				    "there, or give hawserd CAP_NET_ADMIN)");
	if (err) {
		kernel_congestion_list(list, sizeof(list));
		return value_refuse(value,
				    "the kernel has no such congestion control; legal: auto, "
				    "system, or of this kernel: %s",
				    list);
	}
	config->congestion = CONGESTION_NAMED;
	snprintf(config->congestion_name, sizeof(config->congestion_name), "%s", value->text);
	return 0;
}

void *settings_grow(const struct value *value, void **list, size_t *count, size_t size)
{
	char *grown = reallocarray(*list, *count + 1, size);

	if (!grown) {
		value_refuse_no_memory(value);
		return NULL;
	}
	*list = grown;
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

static int add_prefix(struct prefix **list, size_t *count, const struct value *value)
{
	struct prefix prefix;
	struct prefix *added;

	if (prefix_parse(value->text, &prefix))
		return value_refuse(value,
				    "not a range of addresses; legal: ADDR or ADDR/BITS, no bits "
				    "set beyond BITS, as 192.168.1.0/24 or fd00::/8");
	added = settings_grow(value, (void **)list, count, sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = prefix;
	return 0;
}

static int add_allow(struct config *config, const struct value *value)
{
	return add_prefix(&config->allow, &config->allow_count, value);
}

static int add_own_allow(struct config *config, const struct value *value)
{
	return add_prefix(&config->own_allow, &config->own_allow_count, value);
}

static int add_exit_allow(struct config *config, const struct value *value)
{
	return add_prefix(&config->exit_allow, &config->exit_allow_count, value);
}

static int add_accept_proxy(struct config *config, const struct value *value)
{
	return add_prefix(&config->accept_proxy, &config->accept_proxy_count, value);
}

static int add_send_proxy(struct config *config, const struct value *value)
{
	struct destination destination;
	struct destination *added;

	if (destination_parse(value->text, &destination))
		return value_refuse(value, "not a destination; legal: HOST:PORT, ADDR:PORT or "
					   "[ADDR6]:PORT, PORT 1 to 65535");
	added = settings_grow(value, (void **)&config->send_proxy, &config->send_proxy_count,
			      sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = destination;
	return 0;
}

static int add_bypass_destination(struct config *config, const struct value *value)
{
	return add_prefix(&config->intercept.bypass_destination,
			  &config->intercept.bypass_destination_count, value);
}

static int add_bypass_source(struct config *config, const struct value *value)
{
	return add_prefix(&config->intercept.bypass_source, &config->intercept.bypass_source_count,
			  value);
}

static int add_bypass_port(struct config *config, const struct value *value)
{
	return intercept_config_add_port(&config->intercept, value);
}

static int add_bypass_mac(struct config *config, const struct value *value)
{
	return intercept_config_add_mac(&config->intercept, value);
}

static int add_bypass_domain(struct config *config, const struct value *value)
{
	return intercept_config_add_domain(&config->intercept, value);
}

static int set_prefer_name(struct config *config, const struct value *value)
{
	return settings_read_switch(value, &config->intercept.prefer_name);
}

static int set_transparent_source(struct config *config, const struct value *value)
{
	return settings_read_switch(value, &config->intercept.transparent_source);
}

static int set_auto_bypass(struct config *config, const struct value *value)
{
	return settings_read_switch(value, &config->intercept.auto_bypass);
}

static int add_lan(struct config *config, const struct value *value)
{
	return intercept_config_add_lan(&config->intercept, value);
}

static int set_intercept_method(struct config *config, const struct value *value)
{
	return intercept_config_set_method(&config->intercept, value);
}

static const struct setting {
	const char *section;
	const char *name;
	int (*set)(struct config *config, const struct value *value);
	size_t seconds; /* without set: where in struct config its double is */
} settings[] = {
	{"daemon", "workers", set_workers, 0},
	{"daemon", "control", set_control, 0},
	{"daemon", "state-dir", set_state_dir, 0},
	{"daemon", "log-level", set_log_level, 0},
	{"access", "allow", add_allow, 0},
	{"access", "own-allow", add_own_allow, 0},
	{"access", "exit-allow", add_exit_allow, 0},
	{"access", "accept-proxy-protocol", add_accept_proxy, 0},
	{"upstream", "send-proxy-protocol", add_send_proxy, 0},
	{"upstream", "mptcp", set_mptcp, 0},
	{"upstream", "congestion", set_congestion, 0},
	{"upstream", "when-no-exit", settings_set_when_no_exit, 0},
	{"upstream", "exit-answer", NULL, offsetof(struct config, exit_answer_s)},
	{"upstream", "exit-probe", NULL, offsetof(struct config, exit_probe_s)},
	{"upstream", "tcp-only-expiry", NULL, offsetof(struct config, tcp_only.expiry_s)},
	{"upstream", "tcp-only-retry", set_tcp_only_retry, 0},
	{"upstream", "links", set_links, 0},
	{"relay", "tier", set_tier, 0},
	{"relay", "tick", set_tick, 0},
	{"relay", "bpf", set_bpf, 0},
	{"relay", "bpf-pins", set_bpf_pins, 0},
	{"relay", "torture", set_torture, 0},
	{"relay", "local-accel", set_local_accel, 0},
	{"intercept", "method", set_intercept_method, 0},
	{"intercept", "lan", add_lan, 0},
	{"intercept", "bypass-destination", add_bypass_destination, 0},
	{"intercept", "bypass-source", add_bypass_source, 0},
	{"intercept", "bypass-port", add_bypass_port, 0},
	{"intercept", "bypass-mac", add_bypass_mac, 0},
	{"intercept", "bypass-domain", add_bypass_domain, 0},
	{"intercept", "transparent-source", set_transparent_source, 0},
	{"intercept", "prefer-name", set_prefer_name, 0},
	{"intercept", "auto-bypass", set_auto_bypass, 0},
	{"timeouts", "handshake", NULL, offsetof(struct config, timeouts.handshake_s)},
	{"timeouts", "resolve", NULL, offsetof(struct config, timeouts.resolve_s)},
	{"timeouts", "connect", NULL, offsetof(struct config, timeouts.connect_s)},
	{"timeouts", "idle", NULL, offsetof(struct config, timeouts.idle_s)},
	{"timeouts", "half-closed", NULL, offsetof(struct config, timeouts.half_closed_s)},
	{"timeouts", "drain", NULL, offsetof(struct config, timeouts.drain_s)},
};

static int set_tune(struct config *config, const char *name, const struct value *value)
{
	const struct tune_row *row = tune_find(name);
	unsigned long number;

	if (!row)
		return value_refuse(value,
				    "nothing of tune is named \"%s\"; legal: see "
				    "hawser.conf(5)",
				    name);
	errno = 0;
	number = strtoul(value->text, NULL, 10);
	if (!*value->text || value->text[strspn(value->text, "0123456789")] || errno ||
	    number < row->least || number > row->most)
		return value_refuse(value, "not a number for %s; legal: %u to %u", name, row->least,
				    row->most);
	*(uint32_t *)((char *)&config->relay.tune + row->offset) = (uint32_t)number;
	return 0;
}

int settings_set(struct config *config, const char *section, const char *name,
		 const struct value *value)
{
	char legal[256] = "";

	if (strcmp(section, "tune") == 0)
		return set_tune(config, name, value);
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		const struct setting *setting = &settings[i];

		if (strcmp(setting->section, section) != 0)
			continue;
		list_add(legal, sizeof(legal), setting->name);
		if (strcmp(setting->name, name) != 0)
			continue;
		if (setting->set)
			return setting->set(config, value);
		return set_seconds((double *)((char *)config + setting->seconds), value);
	}
	return value_refuse(value, "nothing of %s is named \"%s\"; legal: %s", section, name,
			    legal);
}

/* All but the address is in listen already. */
static int add_listener(struct draft *draft, const struct value *address,
			struct listen_config listen)
{
	struct config *config = draft->config;
	struct listen_config *grown;
	struct value *grown_from;

	if (address_parse(address->text, &listen.address))
		return value_refuse(address, "not an address to listen on; legal: " ADDRESS_LEGAL);
	for (size_t i = 0; i < config->listen_count; i++)
		if (address_same_ip(&config->listen[i].address, &listen.address) &&
		    address_port(&config->listen[i].address) == address_port(&listen.address))
			return value_refuse(
				address, "a second listener on this address; legal: one for each");
	grown = reallocarray(config->listen, config->listen_count + 1, sizeof(*grown));
	if (!grown)
		return value_refuse_no_memory(address);
	config->listen = grown;
	grown_from =
		reallocarray(draft->listen_from, config->listen_count + 1, sizeof(*grown_from));
	if (!grown_from)
		return value_refuse_no_memory(address);
	draft->listen_from = grown_from;
	grown_from[config->listen_count] = *address;
	grown_from[config->listen_count].text = NULL;
	grown[config->listen_count++] = listen;
	return 0;
}

int settings_add_listener(struct draft *draft, const struct value *address, const struct value *to)
{
	struct listen_config listen = {.forward = to != NULL};

	if (to && destination_parse(to->text, &listen.to))
		return value_refuse(to, "not a destination; legal: HOST:PORT, " ADDRESS_LEGAL);
	return add_listener(draft, address, listen);
}

int settings_add_transparent(struct draft *draft, const struct value *address,
			     const struct value *none)
{
	(void)none;
	return add_listener(draft, address, (struct listen_config){.transparent = true});
}
