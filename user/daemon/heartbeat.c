// SPDX-License-Identifier: GPL-2.0-or-later
/* Tells the rules of `hawser intercept` that hawserd lives, by elements with a timeout in the set
 * "alive" of their table, or the time in the map "beat". When there is neither, nobody wants to
 * know. */
#include "daemon/heartbeat.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>

#include "base/log.h"
#include "daemon/worker.h"
#include "intercept/nft_set.h"
#include "intercept/steer_maps.h"

#define BEAT_S 0.5
/* So long after the last beat at most, connections are still sent to a hawserd that died; on a
 * machine busy enough to be late by two beats they are routed meanwhile. */
#define ALIVE_TIMEOUT_MS 1500

#define ALIVE "alive"

struct pulse {
	struct ev_loop *loop;
	struct ev_timer beat;
	struct nft_set_element families[2]; /* that are listened for */
	size_t family_count;
	struct steer_maps maps; /* open during a beat: `up` may replace them at any time */
	int complained;		/* of this -errno last */
	int maps_complained;	/* the same, of the maps */
	/* Of auto-bypass: */
	struct worker *const *workers;
	size_t worker_count;
	bool auto_bypass;
	uint64_t expiry_ms;
};

/* "ADDRESS . PORT". Returns the name of the set for its family. */
static const char *element_of(const union address *to, struct nft_set_element *out)
{
	const bool is_ipv6 = to->sa.sa_family == AF_INET6;
	const size_t ip_len = is_ipv6 ? sizeof(to->in6.sin6_addr) : sizeof(to->in4.sin_addr);

	*out = (struct nft_set_element){.key_len = (uint8_t)(ip_len + 4)};
	memcpy(out->key, is_ipv6 ? (const void *)&to->in6.sin6_addr : &to->in4.sin_addr, ip_len);
	memcpy(out->key + ip_len, &to->in4.sin_port, sizeof(to->in4.sin_port));
	return is_ipv6 ? "auto_bypass6" : "auto_bypass4";
}

/* Where there is no such set, there is no auto-bypass in force, and what was found is forgotten. */
static void pulse_pass_on(const struct pulse *pulse, const struct detour *detour)
{
	struct nft_set_element element;
	const char *set = element_of(&detour->to, &element);

	if (pulse->maps.fds[STEER_MAP_AUTO_BYPASS] >= 0) {
		(void)steer_maps_detour(&pulse->maps, &detour->to,
					detour->learnt_mptcp ? 0 : pulse->expiry_ms);
		return;
	}
	if (detour->learnt_mptcp)
		(void)nft_set_delete(set, &element, 1);
	else
		(void)nft_set_renew(set, &element, 1, pulse->expiry_ms);
}

static void pulse_take_detours(const struct pulse *pulse)
{
	for (size_t w = 0; w < pulse->worker_count; w++) {
		struct detours detours;

		worker_take_detours(pulse->workers[w], &detours);
		for (size_t i = 0; i < detours.count; i++)
			pulse_pass_on(pulse, &detours.list[i]);
	}
}

/* Leaves the maps open, if any are in force. */
static void pulse_beat_map(struct pulse *pulse, bool alive)
{
	int err = steer_maps_open_any(&pulse->maps);

	if (!err)
		err = steer_maps_beat(&pulse->maps, alive);
	if (err && err != -ENOENT && err != pulse->maps_complained) {
		log_warning("bpf: cannot say that hawserd lives: %s; with --method bpf, 'hawser "
			    "intercept' needs it to have CAP_SYS_ADMIN and CAP_NET_ADMIN",
			    strerror(-err));
		pulse->maps_complained = err;
	}
}

static void pulse_on_beat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct pulse *pulse = timer->data;
	int err = nft_set_renew(ALIVE, pulse->families, pulse->family_count, ALIVE_TIMEOUT_MS);

	(void)loop;
	(void)events;
	pulse_beat_map(pulse, true);
	if (pulse->auto_bypass)
		pulse_take_detours(pulse);
	steer_maps_close(&pulse->maps);
	if (err && err != -ENOENT && err != pulse->complained) {
		log_warning("nftables: cannot say that hawserd lives: %s; with --method redirect, "
			    "'hawser intercept' needs it to have CAP_NET_ADMIN",
			    strerror(-err));
		pulse->complained = err;
	}
}

struct pulse *pulse_open(struct ev_loop *loop, struct worker *const *workers, size_t worker_count)
{
	struct pulse *pulse = calloc(1, sizeof(*pulse));

	if (!pulse)
		return NULL;
	pulse->loop = loop;
	pulse->workers = workers;
	pulse->worker_count = worker_count;
	ev_timer_init(&pulse->beat, pulse_on_beat, 0., BEAT_S);
	pulse->beat.data = pulse;
	return pulse;
}

static void pulse_add_family(struct pulse *pulse, uint8_t protocol)
{
	const struct nft_set_element element = {.key = {protocol}, .key_len = 1};

	for (size_t i = 0; i < pulse->family_count; i++)
		if (pulse->families[i].key[0] == protocol)
			return;
	pulse->families[pulse->family_count++] = element;
}

void pulse_start(struct pulse *pulse, const struct config *config)
{
	pulse_stop(pulse);
	pulse->auto_bypass = config->intercept.auto_bypass;
	pulse->expiry_ms = (uint64_t)(config->tcp_only.expiry_s * 1e3);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct listen_config *listen = &config->listen[i];

		if (listen->transparent)
			pulse_add_family(pulse, listen->address.sa.sa_family == AF_INET6
							? NFPROTO_IPV6
							: NFPROTO_IPV4);
	}
	if (pulse->family_count > 0) {
		ev_timer_again(pulse->loop, &pulse->beat);
		pulse_on_beat(pulse->loop, &pulse->beat, 0);
	}
}

void pulse_stop(struct pulse *pulse)
{
	ev_timer_stop(pulse->loop, &pulse->beat);
	if (pulse->family_count > 0) {
		pulse_beat_map(pulse, false);
		steer_maps_close(&pulse->maps);
	}
	/* One by one: what has timed out already cannot be deleted. */
	for (size_t i = 0; i < pulse->family_count; i++)
		(void)nft_set_delete(ALIVE, &pulse->families[i], 1);
	pulse->family_count = 0;
}

void pulse_close(struct pulse *pulse)
{
	if (!pulse)
		return;
	pulse_stop(pulse);
	free(pulse);
}
