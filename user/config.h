/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File and options become one struct config that never changes once made. Starts nothing. */
#ifndef HAWSER_CONFIG_H
#define HAWSER_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "handshake.h"
#include "link.h"
#include "log.h"
#include "tune.h"
#include "users.h"

#define BPF_PINS_DEFAULT "/sys/fs/bpf/hawser"

#define CONGESTION_NAME_MAX 16 /* TCP_CA_NAME_MAX of the kernel, with its NUL */

enum mptcp_mode { MPTCP_MODE_AUTO, MPTCP_MODE_ON, MPTCP_MODE_OFF };
enum tier_mode { TIER_MODE_AUTO, TIER_MODE_COPY, TIER_MODE_SPLICE, TIER_MODE_SOCKMAP };
enum tick_mode { TICK_MODE_AUTO, TICK_MODE_OFF, TICK_MODE_FIXED };
enum congestion_mode { CONGESTION_AUTO, CONGESTION_SYSTEM, CONGESTION_NAMED };

struct listen_config {
	union address address;
	bool forward;	       /* to is valid; else SOCKS and HTTP CONNECT */
	struct destination to; /* host "" with an address, or a name */
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
	bool torture;	   /* change tiers and ticks at random, for tests */
	char *local_accel; /* directory of the clients' cgroup; NULL: off */
};

/* Of destinations that did not speak MPTCP; for MPTCP_MODE_AUTO. */
struct tcp_only_config {
	double expiry_s; /* remembered for so long after a fallback */
	uint32_t retry;	 /* one dial in so many tries MPTCP; 1: every one */
};

struct timeouts { /* seconds, all > 0 */
	double handshake_s;
	double resolve_s;
	double connect_s;
	double idle_s;
	double half_closed_s;
	double drain_s;
};

struct config {
	struct listen_config *listen;
	size_t listen_count;
	struct users users;
	struct prefix *allow;
	size_t allow_count;
	enum mptcp_mode mptcp;
	struct tcp_only_config tcp_only;
	struct relay_config relay;
	struct links_config links;
	enum congestion_mode congestion;
	char congestion_name[CONGESTION_NAME_MAX];
	unsigned int workers;
	char *control; /* path of the control socket */
	bool control_is_default;
	enum log_level log_level;
	struct timeouts timeouts;
	atomic_uint references;
};

struct options;

/* Reads defaults, then the file, then the options. NULL on error, after logging one line that names
 * file and line (or the option), what is wrong and what is legal. The result has one reference. */
struct config *config_load(const struct options *options);

/* Any thread. The last put wipes the passwords and frees; config_put(NULL) does nothing. */
const struct config *config_get(const struct config *config);
void config_put(const struct config *config);

/* Which access a client from this address has to SOCKS and HTTP listeners: open for the allowed
 * prefixes, and for loopback while there are no users; else by password where there are users;
 * else denied. */
enum access config_access(const struct config *config, const union address *client);

/* Whether a client from this address may use a forward: from the allowed prefixes and loopback. */
bool config_forward_allowed(const struct config *config, const union address *client);

/* "auto", "on"…; for output. */
const char *config_mptcp_name(enum mptcp_mode mode);
const char *config_tier_name(enum tier_mode mode);

#endif
