/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one table of settings: the configuration file, the command line and its help come from it. */
#include "config/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "config/settings_private.h"
#include "net/kernel.h"

#define WORKERS_MAX 64
#define RETRY_MAX   1000000
#define TICK_US_MIN 100
#define TICK_US_MAX 100000

_Static_assert(sizeof(enum mptcp_mode) == sizeof(unsigned int), "value_word() stores an unsigned");

static const char *const log_level_words[] = {[LOG_LEVEL_ERROR] = "error",
					      [LOG_LEVEL_WARNING] = "warning",
					      [LOG_LEVEL_INFO] = "info",
					      [LOG_LEVEL_DEBUG] = "debug",
					      NULL};
static const char *const when_no_exit_words[] = {
	[WHEN_NO_EXIT_DIRECT] = "direct", [WHEN_NO_EXIT_REFUSE] = "refuse", NULL};

static const struct {
	const char *name;
	int (*add)(struct draft *draft); /* of those with names */
} sections[SECTION_COUNT] = {
	[SECTION_DAEMON] = {"daemon", NULL},
	[SECTION_LISTEN] = {"listen", settings_add_listener},
	[SECTION_ACCESS] = {"access", NULL},
	[SECTION_USER] = {"user", settings_add_user},
	[SECTION_EXIT] = {"exit", settings_add_exit},
	[SECTION_UPSTREAM] = {"upstream", NULL},
	[SECTION_LINK] = {"link", settings_add_link},
	[SECTION_RELAY] = {"relay", NULL},
	[SECTION_TUNE] = {"tune", NULL},
	[SECTION_TIMEOUTS] = {"timeouts", NULL},
	[SECTION_INTERCEPT] = {"intercept", NULL},
	[SECTION_METRICS] = {"metrics", NULL},
};

static const char *const tick_words[] = {"auto", "off", NULL};

static const char *const sticky_words[] = {"no", NULL};

static int set_sticky(const struct value *value, const struct limits *limits, void *out)
{
	if (strcmp(value->text, sticky_words[0]) != 0)
		return value_seconds(value, limits, out);
	*(double *)out = 0;
	return 0;
}

static const char *const portal_words[] = {"auto", "off", NULL};

static const char *const access_log_words[] = {"off", NULL};

static int set_access_log(const struct value *value, const struct limits *limits, void *out)
{
	char **at = out;

	if (strcmp(value->text, access_log_words[0]) == 0) {
		free(*at);
		*at = NULL;
		return 0;
	}
	if (value->text[0] != '/' && strcmp(value->text, "syslog") != 0 &&
	    strncmp(value->text, "syslog:/", strlen("syslog:/")) != 0)
		return value_refuse(value, "expected a path from /, syslog, syslog:PATH of its "
					   "socket, or off");
	return value_text(value, limits, out);
}

static int set_program(const struct value *value, const struct limits *limits, void *out)
{
	const char *const expected = "expected the path of a program, from /";
	struct stat info;

	if (value->text[0] != '/')
		return value_refuse(value, "%s", expected);
	if (stat(value->text, &info) || access(value->text, X_OK))
		return value_refuse(value, "%s; %s", strerror(errno), expected);
	if (!S_ISREG(info.st_mode))
		return value_refuse(value, "no file; %s", expected);
	return value_text(value, limits, out);
}

static int set_tick(const struct value *value, const struct limits *limits, void *out)
{
	struct tick_config *tick = out;

	if (strcmp(value->text, "auto") == 0 || strcmp(value->text, "off") == 0) {
		tick->mode = *value->text == 'a' ? TICK_MODE_AUTO : TICK_MODE_OFF;
		return 0;
	}
	tick->mode = TICK_MODE_FIXED;
	return value_time(value, limits, &tick->fixed_us);
}

static int set_local_accel(const struct value *value, const struct limits *limits, void *out)
{
	const char *const expected = "expected the directory of a cgroup, as "
				     "/sys/fs/cgroup/user.slice, in a cgroup2 file system";
	struct statfs fs;

	if (statfs(value->text, &fs))
		return value_refuse(value, "%s; %s", strerror(errno), expected);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return value_refuse(value, "not in a cgroup2 file system; %s", expected);
	return value_text(value, limits, out);
}

/* out: struct config. */
static int set_congestion(const struct value *value, const struct limits *limits, void *out)
{
	struct config *config = out;
	char list[256];
	int err = -ENOENT;

	(void)limits;
	if (strcmp(value->text, "auto") == 0 || strcmp(value->text, "system") == 0) {
		config->congestion = *value->text == 'a' ? CONGESTION_AUTO : CONGESTION_SYSTEM;
		return 0;
	}
	/* The kernel would look up a cut name. */
	if (strlen(value->text) < CONGESTION_NAME_MAX)
		err = kernel_congestion_usable(value->text);
	if (err == -EPERM)
		return value_refuse(value, "the kernel has it but not for hawserd; expected auto, "
					   "system, or what "
					   "net.ipv4.tcp_allowed_congestion_control lists (add it "
					   "there, or give hawserd CAP_NET_ADMIN)");
	if (err) {
		kernel_congestion_list(list, sizeof(list));
		return value_refuse(value,
				    "the kernel has no such congestion control; expected "
				    "auto, system, or one of this kernel: %s",
				    list);
	}
	config->congestion = CONGESTION_NAMED;
	snprintf(config->congestion_name, sizeof(config->congestion_name), "%s", value->text);
	return 0;
}

/* A member of struct config or struct draft, which must have this type. */
#define AT(base, type, member)                                                                     \
	.offset = _Generic(&((struct base *)0)->member, __typeof__(type) * : offsetof(struct base, member))

#define BOOLEAN(base, member) .parse = value_boolean, AT(base, bool, member)
#define WORD(base, member, list)                                                                   \
	.parse = value_word, AT(base, unsigned int, member), .limits = {.words = (list)}
#define NUMBER(base, member, min, max)                                                             \
	.parse = value_number, AT(base, uint32_t, member), .limits = {.least = (min), .most = (max)}
#define SECONDS(member)	  .parse = value_seconds, AT(config, double, member)
#define DIRECTORY(member) .parse = value_directory, AT(config, char *, member)
#define RATE(member)	  .parse = value_rate, AT(draft, uint64_t, member)
#define KEEP(member)	  .parse = value_keep, AT(draft, struct value, member)
#define LIST(kind, type, member)                                                                   \
	.parse = (kind), AT(config, __typeof__(type) *, member),                                   \
	.count = offsetof(struct config, member##_count), .size = sizeof(type), .repeats = true

/* Of TUNE_LIST. */
#define TUNE_COUNT .parse = value_number, .limits.unit_us = 0
#define TUNE_BYTES .parse = value_bytes, .limits.unit_us = 0
#define TUNE_US	   .parse = value_time, .limits.unit_us = 1
#define TUNE_MS	   .parse = value_time, .limits.unit_us = 1000
#define TUNE_S	   .parse = value_time, .limits.unit_us = 1000000

#define OPTION(text, form, line) .option = (text), .argument = (form), .help = line

#define TUNE_ROW(member, title, kind, standard, min, max)                                          \
	{SECTION_TUNE,                                                                             \
	 (title),                                                                                  \
	 AT(config, uint32_t, relay.tune.member),                                                  \
	 kind,                                                                                     \
	 .limits.least = (min),                                                                    \
	 .limits.most = (max)},

/* In the order of `hawserd --help`. */
const struct setting settings[] = {
	{SECTION_NONE, .act = OPTION_FILE,
	 OPTION("--config", "FILE", "read FILE first, see hawser.conf(5); also -c")},

	{SECTION_LISTEN, .parts = "address", .repeats = true,
	 OPTION("--socks", "ADDR:PORT", "listen for SOCKS and HTTP CONNECT")},
	{SECTION_LISTEN, .parts = "address=to", .repeats = true,
	 OPTION("--forward", "ADDR:PORT=HOST:PORT", "listen, and connect to HOST:PORT")},
	{SECTION_LISTEN, .parts = "address", .repeats = true,
	 AT(draft, bool, item.listen.transparent),
	 OPTION("--transparent", "ADDR:PORT", "take connections by TPROXY or REDIRECT")},
	{SECTION_LISTEN, .parts = "address", .repeats = true, AT(draft, bool, item.listen.metrics),
	 OPTION("--metrics", "ADDR:PORT", "serve metrics and a page by HTTP")},
	{SECTION_LISTEN, "address", KEEP(item.address), .required = true, .argument = "ADDR:PORT"},
	{SECTION_LISTEN, "to", KEEP(item.to)},
	{SECTION_LISTEN, "tokens", KEEP(item.tokens)},
	{SECTION_LISTEN, "exit-name", KEEP(item.exit_name)},
	{SECTION_LISTEN, "transparent", BOOLEAN(draft, item.listen.transparent)},
	{SECTION_LISTEN, "metrics", BOOLEAN(draft, item.listen.metrics)},

	{SECTION_METRICS, "allow", LIST(value_prefix, struct prefix, metrics.allow),
	 OPTION("--metrics-allow", "PREFIX", "let these addresses see metrics")},
	{SECTION_METRICS, "token-file", .parse = settings_metrics_token,
	 AT(config, char *, metrics.token),
	 OPTION("--metrics-token", "FILE", "let who has this token see them")},
	{SECTION_METRICS, "host", LIST(value_domain, struct domain, metrics.host),
	 OPTION("--metrics-host", "NAME", "a name by which browsers may ask for them")},

	{SECTION_INTERCEPT, "up", BOOLEAN(config, intercept.up)},
	{SECTION_INTERCEPT, "method", WORD(config, intercept.method, intercept_method_words),
	 OPTION("--intercept", NULL, "how 'hawser intercept' takes connections")},
	{SECTION_INTERCEPT, "lan", LIST(value_interface, struct interface, intercept.lan),
	 OPTION("--lan", "INTERFACE", "take the connections that come in here")},
	{SECTION_INTERCEPT, "bypass-destination",
	 LIST(value_prefix, struct prefix, intercept.bypass_destination),
	 OPTION("--bypass-destination", "PREFIX", "leave connections to these addresses alone")},
	{SECTION_INTERCEPT, "bypass-port",
	 LIST(value_ports, struct port_range, intercept.bypass_port),
	 OPTION("--bypass-port", "PORT[-PORT]", "leave connections to these ports alone")},
	{SECTION_INTERCEPT, "bypass-source",
	 LIST(value_prefix, struct prefix, intercept.bypass_source),
	 OPTION("--bypass-source", "PREFIX", "leave these clients alone")},
	{SECTION_INTERCEPT, "bypass-mac", LIST(value_mac, struct mac, intercept.bypass_mac),
	 OPTION("--bypass-mac", "MAC", "leave this client alone")},
	{SECTION_INTERCEPT, "bypass-domain",
	 LIST(value_domain, struct domain, intercept.bypass_domain),
	 OPTION("--bypass-domain", "DOMAIN",
		"use plain TCP for intercepted connections to this domain")},
	{SECTION_INTERCEPT, "transparent-source", BOOLEAN(config, intercept.transparent_source),
	 OPTION("--transparent-source", "yes|no", "dial from the client's address")},
	{SECTION_INTERCEPT, "connect-first", BOOLEAN(config, intercept.connect_first),
	 OPTION("--connect-first", "yes|no", "accept a connection when its dial stands")},
	{SECTION_INTERCEPT, "auto-bypass", BOOLEAN(config, intercept.auto_bypass),
	 OPTION("--auto-bypass", "yes|no", "bypass hawserd for servers without MPTCP")},
	{SECTION_INTERCEPT, "prefer-name", BOOLEAN(config, intercept.prefer_name),
	 OPTION("--prefer-name", "yes|no", "tell exits the name that a client sends")},

	{SECTION_USER, .parts = "NAME:password-file", .repeats = true,
	 OPTION("--user", "NAME:PASSWORD-FILE", "let NAME in with the password in that file")},
	{SECTION_USER, "password-file", KEEP(item.secret_file), .required = true,
	 .argument = "FILE"},

	{SECTION_ACCESS, "allow", LIST(value_prefix, struct prefix, allow),
	 OPTION("--allow", "PREFIX", "let these addresses in without a password")},
	{SECTION_ACCESS, "own-allow", LIST(value_prefix, struct prefix, own_allow),
	 OPTION("--own-allow", "PREFIX", "own addresses that clients may reach")},
	{SECTION_ACCESS, "exit-allow", LIST(value_prefix, struct prefix, exit_allow),
	 OPTION("--exit-allow", "PREFIX", "special addresses that tokens may reach")},
	{SECTION_ACCESS, "accept-proxy-protocol", LIST(value_prefix, struct prefix, accept_proxy),
	 OPTION("--accept-proxy-protocol", "PREFIX", "proxies here tell who their client is")},

	{SECTION_LISTEN, .parts = "address", .repeats = true,
	 AT(draft, bool, item.listen.serves_exit),
	 OPTION("--serve-exit", "ADDR:PORT", "listen for routers with tokens, too")},
	{SECTION_NONE, KEEP(tokens),
	 OPTION("--tokens", "FILE", "the tokens that --serve-exit takes")},
	{SECTION_NONE, KEEP(exit_name),
	 OPTION("--exit-name", "NAME", "take only what is sent to an exit of this name")},

	{SECTION_DAEMON, "announce", LIST(value_announced, union address, announce),
	 OPTION("--announce", "ADDR[:PORT]", "have further subflows of MPTCP come here")},

	{SECTION_NONE, .parse = settings_exit_by_option, .repeats = true,
	 OPTION("--exit", "HOST:PORT", "carry all sessions through this exit")},
	{SECTION_NONE, KEEP(exit_token),
	 OPTION("--exit-token", "FILE", "the token that --exit wants")},
	{SECTION_EXIT, "address", .parse = settings_exit_place,
	 AT(draft, struct exit_place, item.exit.place), .required = true, .argument = "HOST"},
	{SECTION_EXIT, "port", NUMBER(draft, item.port, 1, UINT16_MAX)},
	{SECTION_EXIT, "token-file", KEEP(item.secret_file), .required = true, .argument = "FILE"},
	{SECTION_EXIT, "priority", NUMBER(draft, item.exit.priority, 0, 65535)},
	{SECTION_EXIT, "weight", NUMBER(draft, item.exit.weight, 1, 65535)},

	{SECTION_UPSTREAM, "send-proxy-protocol",
	 LIST(value_destination, struct destination, send_proxy),
	 OPTION("--send-proxy-protocol", "HOST:PORT", "tell this destination who the client is")},
	{SECTION_UPSTREAM, "when-no-exit", WORD(config, when_no_exit, when_no_exit_words),
	 OPTION("--when-no-exit", NULL, "what to do when no exit answers")},
	{SECTION_UPSTREAM, "exit-answer", SECONDS(exit_answer_s),
	 OPTION("--exit-answer", "TIME", "an exit silent for so long is down")},
	{SECTION_UPSTREAM, "exit-probe", SECONDS(exit_probe_s),
	 OPTION("--exit-probe", "TIME", "how often an idle exit is asked")},
	{SECTION_UPSTREAM, "sticky", .parse = set_sticky, AT(config, double, sticky_s),
	 .limits.words = sticky_words,
	 OPTION("--sticky", "no|TIME", "a client reaches a server by one link and exit")},
	{SECTION_UPSTREAM, "mptcp", WORD(config, mptcp, config_mptcp_words),
	 OPTION("--mptcp", NULL, "MPTCP for outgoing connections")},
	{SECTION_UPSTREAM, "congestion", .parse = set_congestion,
	 OPTION("--congestion", "auto|system|NAME", "congestion control of MPTCP")},
	{SECTION_UPSTREAM, "tcp-only-expiry", SECONDS(tcp_only.expiry_s),
	 OPTION("--tcp-only-expiry", "TIME", "how long a server without MPTCP is known")},
	{SECTION_UPSTREAM, "tcp-only-retry", NUMBER(config, tcp_only.retry, 1, RETRY_MAX),
	 OPTION("--tcp-only-retry", "N", "try MPTCP with it every N-th time")},

	{SECTION_UPSTREAM, "links", WORD(config, links.mode, links_mode_words),
	 OPTION("--links", NULL, "which links are set up")},
	{SECTION_UPSTREAM, "portal-check", .parse = settings_portal_check,
	 AT(config, struct portal_config, portal), .limits.words = portal_words,
	 OPTION("--portal-check", "auto|off|URL", "how a captive portal is noticed")},
	{SECTION_UPSTREAM, "portal-answer", .parse = value_text, AT(config, char *, portal.answer),
	 OPTION("--portal-answer", "TEXT", "what the answer of that URL begins with")},
	{SECTION_LINK, .parts = "NAME=device,role,weight", .repeats = true,
	 OPTION("--link", "NAME=DEVICE[,ROLE[,WEIGHT]]", "a link to set up")},
	{SECTION_LINK, "device", .parse = value_interface,
	 .offset = offsetof(struct draft, item.link.device), .required = true,
	 .argument = "INTERFACE"},
	{SECTION_LINK, "role", WORD(draft, item.link.role, link_role_words)},
	{SECTION_LINK, "weight", NUMBER(draft, item.link.weight, 1, LINK_WEIGHT_MAX)},
	{SECTION_LINK, "rate-down", RATE(item.link.rate.rx)},
	{SECTION_LINK, "rate-up", RATE(item.link.rate.tx)},
	{SECTION_LINK, "quota", .parse = value_size, AT(draft, uint64_t, item.link.quota)},
	{SECTION_LINK, "reset-day", NUMBER(draft, item.link.reset_day, 1, LINK_RESET_DAY_MAX)},
	{SECTION_LINK, "gateway", .parse = settings_gateway, .repeats = true,
	 .offset = offsetof(struct draft, item.link.gateway)},
	{SECTION_LINK, "probe-quorum", NUMBER(draft, item.link.probe_quorum, 1, LINK_PROBES_MAX)},
	{SECTION_LINK, "probe", .parse = settings_probe, .repeats = true,
	 AT(draft, struct link_config, item.link)},
	{SECTION_LINK, "demote", .parse = value_denial, AT(draft, bool, item.link.no_demote)},

	{SECTION_RELAY, "tier", WORD(config, relay.tier, config_tier_words),
	 OPTION("--tier", NULL, "how bytes are moved")},
	{SECTION_RELAY, "tick", .parse = set_tick, AT(config, struct tick_config, relay.tick),
	 .limits = {TICK_US_MIN, TICK_US_MAX, 1, tick_words},
	 OPTION("--tick", "auto|off|TIME", "how often bulk is looked at")},
	{SECTION_RELAY, "packets", BOOLEAN(config, relay.packets), .implied = "on",
	 OPTION("--packets", NULL, "let the kernel forward packets of plain TCP sessions")},
	{SECTION_RELAY, "bpf", BOOLEAN(config, relay.bpf), .implied = "off",
	 OPTION("--no-bpf", NULL, "load no BPF programs")},
	{SECTION_RELAY, "bpf-pins", DIRECTORY(relay.bpf_pins),
	 OPTION("--bpf-pins", "DIRECTORY", "where in a bpffs the maps are pinned")},
	{SECTION_RELAY, "torture", BOOLEAN(config, relay.torture), .implied = "on",
	 OPTION("--torture", NULL, "change tiers and ticks at random, for tests")},
	{SECTION_RELAY, "local-accel", .parse = set_local_accel,
	 AT(config, char *, relay.local_accel),
	 OPTION("--local-accel", "CGROUP", "let clients in CGROUP send past TCP")},

	{SECTION_TUNE, .repeats = true,
	 OPTION("--tune", "NAME=NUMBER", "a constant of the relay, for experiments")},
	TUNE_LIST(TUNE_ROW)

		{SECTION_TIMEOUTS, .repeats = true,
		 OPTION("--timeout", "NAME=TIME",
			"handshake, resolve, connect, idle, half-closed, drain, event")},
	{SECTION_TIMEOUTS, "handshake", SECONDS(timeouts.handshake_s)},
	{SECTION_TIMEOUTS, "resolve", SECONDS(timeouts.resolve_s)},
	{SECTION_TIMEOUTS, "connect", SECONDS(timeouts.connect_s)},
	{SECTION_TIMEOUTS, "idle", SECONDS(timeouts.idle_s)},
	{SECTION_TIMEOUTS, "half-closed", SECONDS(timeouts.half_closed_s)},
	{SECTION_TIMEOUTS, "drain", SECONDS(timeouts.drain_s)},
	{SECTION_TIMEOUTS, "event", SECONDS(timeouts.event_s)},

	{SECTION_DAEMON, "workers", NUMBER(config, workers, 1, WORKERS_MAX),
	 OPTION("--workers", "N", "threads, 1 to 64")},
	{SECTION_DAEMON, "control", .parse = value_socket_path, AT(config, char *, control),
	 OPTION("--control", "PATH", "socket for hawser(1)")},
	{SECTION_DAEMON, "state-dir", DIRECTORY(state_dir),
	 OPTION("--state-dir", "PATH", "directory for what survives restarts of the host")},
	{SECTION_DAEMON, "history", BOOLEAN(config, history),
	 OPTION("--history", "yes|no", "keep what links, exits and clients carry")},
	{SECTION_DAEMON, "log-level", WORD(config, log_level, log_level_words),
	 OPTION("--log-level", "LEVEL", "error, warning, info or debug")},
	{SECTION_DAEMON, "access-log", .parse = set_access_log, AT(config, char *, access_log),
	 .limits.words = access_log_words,
	 OPTION("--access-log", "PATH|syslog|off", "where sessions are told of at their end")},
	{SECTION_DAEMON, "on-event", .parse = set_program, AT(config, char *, on_event),
	 OPTION("--on-event", "PROGRAM", "run when a link or the exit changes")},
	{SECTION_NONE, .act = OPTION_CHECK,
	 OPTION("--check", NULL, "check the configuration and exit")},
	{SECTION_NONE, .act = OPTION_KEEPER,
	 OPTION("--keeper", NULL, "run behind a second process, so that a restart has no gap")},
	{SECTION_NONE, .act = OPTION_VERSION,
	 OPTION("--version", NULL, "print the version and exit")},
	{SECTION_NONE, .act = OPTION_HELP, OPTION("--help", NULL, "print this and exit")},
};

const size_t settings_count = sizeof(settings) / sizeof(*settings);

const char *section_name(enum section section)
{
	return sections[section].name;
}

bool section_has_name(enum section section)
{
	return sections[section].add;
}

void *settings_grow(const struct value *value, void *list, size_t *count, size_t size)
{
	char *grown;

	/* The type of the list's pointer is not known here. */
	memcpy(&grown, list, sizeof(grown));
	grown = reallocarray(grown, *count + 1, size);
	if (!grown) {
		value_refuse_no_memory(value);
		return NULL;
	}
	memcpy(list, &grown, sizeof(grown));
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

int settings_set(struct draft *draft, const struct setting *setting, const struct value *value)
{
	const enum section section = setting->section;
	char *base = section == SECTION_NONE || section_has_name(section) ? (char *)draft
									  : (char *)draft->config;
	void *out = base + setting->offset;

	if (setting->size > 0) {
		out = settings_grow(value, out, (size_t *)(base + setting->count), setting->size);
		if (!out)
			return -ENOMEM;
	}
	return setting->parse(value, &setting->limits, out);
}

int settings_set_named(struct draft *draft, enum section section, const char *name,
		       const struct value *value)
{
	const char *names[64] = {NULL};
	struct value unknown = *value;
	char expected[512];
	size_t count = 0;

	for (size_t i = 0; i < settings_count; i++) {
		if (settings[i].section != section || !settings[i].name)
			continue;
		if (strcmp(settings[i].name, name) == 0)
			return settings_set(draft, &settings[i], value);
		if (count + 1 < sizeof(names) / sizeof(*names))
			names[count++] = settings[i].name;
	}
	value_list_words(names, expected, sizeof(expected));
	unknown.text = name;
	return value_refuse(&unknown, "no setting of %s; expected %s", section_name(section),
			    expected);
}

void settings_begin_item(struct draft *draft, const struct value *name)
{
	draft->item = (struct item){
		.name = *name,
		.exit = {.priority = 1, .weight = 1},
		.link = {.role = LINK_ROLE_SHARED, .weight = LINK_WEIGHT_DEFAULT, .reset_day = 1},
	};
}

int settings_end_item(struct draft *draft, enum section section)
{
	return sections[section].add(draft);
}
