/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File and options become one struct config that never changes once made. Starts nothing. */
#ifndef HAWSER_CONFIG_CONFIG_H
#define HAWSER_CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/token_file.h"
#include "auth/users.h"
#include "base/address.h"
#include "base/log.h"
#include "config/intercept_config.h"
#include "config/link_config.h"
#include "config/tune.h"
#include "net/socket_options.h"
#include "proto/exit_place.h"
#include "proto/handshake.h"

/* make STATE_DIR=… */
#ifndef STATE_DIR_DEFAULT
#define STATE_DIR_DEFAULT "/var/lib/hawser"
#endif
#define BPF_PINS_DEFAULT "/sys/fs/bpf/hawser"

#define CONGESTION_NAME_MAX 16 /* TCP_CA_NAME_MAX of the kernel, with its NUL */

enum mptcp_mode { MPTCP_MODE_AUTO, MPTCP_MODE_ON, MPTCP_MODE_OFF };
enum tier_mode {
	TIER_MODE_AUTO,
	TIER_MODE_COPY,
	TIER_MODE_SPLICE,
	TIER_MODE_SOCKMAP,
	TIER_MODE_PACKETS
};
enum tick_mode { TICK_MODE_AUTO, TICK_MODE_OFF, TICK_MODE_FIXED };
enum congestion_mode { CONGESTION_AUTO, CONGESTION_SYSTEM, CONGESTION_NAMED };

struct exit_state;
struct gate;

struct listen_config {
	union address address;
	bool transparent;	 /* takes connections on their way to somewhere else */
	bool metrics;		 /* serves metrics and the page, and no proxy */
	bool forward;		 /* to is valid; else, if neither, SOCKS and HTTP CONNECT */
	struct destination to;	 /* host "" with an address, or a name */
	const struct gate *gate; /* takes tokens; one of the configuration's. NULL: none */
	bool is_default;	 /* nobody asked for it */
	bool serves_exit;	 /* by --serve-exit, so that it must get a gate */
};

enum when_no_exit { WHEN_NO_EXIT_DIRECT, WHEN_NO_EXIT_REFUSE };

#define EXITS_MAX	  64
#define ANNOUNCE_MAX	  4
#define EXIT_PORT_DEFAULT 1080

/* A way out for this router. */
struct exit_config {
	char *name;
	struct exit_place place;
	struct token_set tokens;  /* one */
	uint32_t priority;	  /* lower is used first */
	uint32_t weight;	  /* at least 1; share among those of equal priority */
	struct exit_state *state; /* outlives reloads; the configuration has a reference */
};

struct tick_config {
	enum tick_mode mode;
	uint32_t fixed_us; /* TICK_MODE_FIXED */
};

struct relay_config {
	enum tier_mode tier;
	struct tick_config tick;
	struct tune tune;
	bool bpf;
	char *bpf_pins;	   /* a directory in a bpffs */
	bool packets;	   /* TIER_MODE_AUTO may have packets forwarded */
	bool torture;	   /* change tiers and ticks at random, for tests */
	char *local_accel; /* directory of the clients' cgroup; NULL: off */
};

/* Of destinations that did not speak MPTCP; for MPTCP_MODE_AUTO. */
struct tcp_only_config {
	double expiry_s; /* remembered for so long after a fallback */
	uint32_t retry;	 /* one dial in so many tries MPTCP; 1: every one */
	/* Any dial tries MPTCP so long after the last that did, seconds; 0: no. For those that are
	 * one in many anyhow, as the rest was routed around us. */
	double sample_after_s;
};

struct timeouts { /* seconds, all > 0 */
	double handshake_s;
	double resolve_s;
	double connect_s;
	double idle_s;
	double half_closed_s;
	double drain_s;
	double event_s; /* of the program of on_event */
};

/* Who sees metrics and the page. */
struct metrics_config {
	struct prefix *allow;
	size_t allow_count;
	char *token;	     /* NULL: none */
	struct domain *host; /* names of this host beside its own */
	size_t host_count;
};

struct config {
	struct listen_config *listen;
	size_t listen_count;
	struct users users;
	struct prefix *allow;
	size_t allow_count;
	struct gate **gates; /* of the listeners that take tokens */
	size_t gate_count;
	struct exit_config *exits;
	size_t exit_count; /* at most EXITS_MAX; 0: destinations are dialled directly */
	enum when_no_exit when_no_exit;
	double exit_answer_s;	  /* without an answer for so long an exit is down */
	double exit_probe_s;	  /* an exit is probed when it has not answered for so long */
	struct prefix *own_allow; /* addresses of this host that clients may reach */
	size_t own_allow_count;
	struct prefix *exit_allow; /* special destinations, see egress_policy.h */
	size_t exit_allow_count;
	struct prefix *accept_proxy; /* who must begin with a header of the PROXY protocol */
	size_t accept_proxy_count;
	struct destination *send_proxy; /* to whom such a header is sent first */
	size_t send_proxy_count;
	double sticky_s; /* connections of a client to a destination go one way; 0: they do not */
	enum mptcp_mode mptcp;
	struct tcp_only_config tcp_only;
	struct relay_config relay;
	struct links_config links;
	struct portal_config portal;
	enum congestion_mode congestion;
	char congestion_name[CONGESTION_NAME_MAX];
	unsigned int workers;
	char *control; /* path of the control socket */
	bool control_is_default;
	char *state_dir;	 /* for what survives a restart of the host */
	bool history;		 /* of what was used */
	union address *announce; /* to MPTCP clients, for further subflows; port 0: that dialled */
	size_t announce_count;	 /* at most ANNOUNCE_MAX */
	enum log_level log_level;
	char *on_event;	  /* a program; NULL: none */
	char *access_log; /* a path, "syslog" or "syslog:PATH"; NULL: off */
	struct timeouts timeouts;
	struct intercept_config intercept;
	struct metrics_config metrics;
	atomic_uint references;
};

/* Words for output and settings; NULL ends them. */
extern const char *const config_mptcp_words[];
extern const char *const config_tier_words[];

/* All defaults but the listeners, with one reference. NULL without memory. */
struct config *config_new(void);

/* Any thread. The last put wipes the passwords and frees; config_put(NULL) does nothing. */
const struct config *config_get(const struct config *config);
void config_put(const struct config *config);

/* Which access a client from this address has to SOCKS and HTTP listeners: open for the allowed
 * prefixes, and for loopback while there are no users; else by password where there are users;
 * else denied. */
enum access config_access(const struct config *config, const union address *client);

/* Whether a client from this address may use a forward: from the allowed prefixes and loopback. */
bool config_forward_allowed(const struct config *config, const union address *client);

/* Whether a connection from this address must begin with a header of the PROXY protocol. */
bool config_accepts_proxy(const struct config *config, const union address *peer);

/* Whether what a client asked for is among those that are sent one. */
bool config_sends_proxy(const struct config *config, const struct destination *destination);

/* Whether there is a transparent listener, ... */
bool config_is_transparent(const struct config *config);
/* ... whose connections are to be dialled before they are accepted. */
bool config_connects_first(const struct config *config);

/* Whether a client from this address sees metrics without the token: from the allowed prefixes, and
 * from loopback while there is no token. */
bool config_metrics_allowed(const struct config *config, const union address *client);

/* Whether there is a listener for metrics. */
bool config_has_metrics(const struct config *config);

/* Whether the kernel may forward packets. */
bool config_wants_packets(const struct relay_config *relay);

/* What the sockets of clients and servers have. */
struct socket_options config_socket_options(const struct config *config);

/* "socks", "forward", "exit", "transparent" or "metrics"; for output. */
const char *config_listen_kind(const struct listen_config *listen);

/* "auto", "on"…; for output. */
const char *config_mptcp_name(enum mptcp_mode mode);
const char *config_tier_name(enum tier_mode mode);

#endif
