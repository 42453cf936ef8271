/* SPDX-License-Identifier: GPL-2.0-or-later */
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
#include "intercept/nft.h"
#include "intercept/nft_set.h"
#include "intercept/steer_maps.h"

#define BEAT_S 0.5
/* So long after the last beat at most, connections are still sent to a hawserd that died; on a
 * machine busy enough to be late by two beats they are routed meanwhile. */
#define ALIVE_TIMEOUT_MS 1500

#define ALIVE "alive"
/* What first packets may be held; INTERCEPT_HOLD_GROUP is read. */
#define HOLDING "holding"

struct families {
	struct nft_set_element list[2];
	size_t count;
};

struct heartbeat {
	struct ev_loop *loop;
	struct ev_timer beat;
	struct families families; /* that are listened for */
	struct steer_maps maps;	  /* open during a beat: `up` may replace them at any time */
	int complained;		  /* of this -errno last */
	int maps_complained;	  /* the same, of the maps */
	bool paused;
	/* As a beat found it: each would have the kernel look for the module. */
	bool without_nftables;
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
static void heartbeat_pass_on(const struct heartbeat *heartbeat,
			      const struct auto_bypass_entry *entry)
{
	struct nft_set_element element;
	const char *set = element_of(&entry->to, &element);

	if (heartbeat->maps.fds[STEER_MAP_AUTO_BYPASS] >= 0) {
		(void)steer_maps_detour(&heartbeat->maps, &entry->to,
					entry->learnt_mptcp ? 0 : heartbeat->expiry_ms);
		return;
	}
	if (heartbeat->without_nftables)
		return;
	if (entry->learnt_mptcp)
		(void)nft_set_delete(set, &element, 1);
	else
		(void)nft_set_renew(set, &element, 1, heartbeat->expiry_ms);
}

static void heartbeat_take_detours(const struct heartbeat *heartbeat)
{
	for (size_t w = 0; w < heartbeat->worker_count; w++) {
		struct auto_bypass auto_bypass;

		worker_take_detours(heartbeat->workers[w], &auto_bypass);
		for (size_t i = 0; i < auto_bypass.count; i++)
			heartbeat_pass_on(heartbeat, &auto_bypass.list[i]);
	}
}

/* Leaves the maps open, if any are in force. */
static void heartbeat_beat_map(struct heartbeat *heartbeat, bool alive)
{
	int err = steer_maps_open_any(&heartbeat->maps);

	if (!err)
		err = steer_maps_beat(&heartbeat->maps, alive);
	if (err && err != -ENOENT && err != heartbeat->maps_complained) {
		log_warning("bpf: cannot tell the steering program that hawserd runs: %s; 'hawser "
			    "intercept --method bpf' needs a hawserd with CAP_SYS_ADMIN and "
			    "CAP_NET_ADMIN",
			    strerror(-err));
		heartbeat->maps_complained = err;
	}
}

static void heartbeat_beat_sets(struct heartbeat *heartbeat)
{
	const int err = nft_set_renew(ALIVE, heartbeat->families.list, heartbeat->families.count,
				      ALIVE_TIMEOUT_MS);

	if (nft_is_absent(err)) {
		heartbeat->without_nftables = true;
		return;
	}
	if (worker_holds(heartbeat->workers[0]))
		(void)nft_set_renew(HOLDING, heartbeat->families.list, heartbeat->families.count,
				    ALIVE_TIMEOUT_MS);
	if (err && err != -ENOENT && err != heartbeat->complained) {
		log_warning("nftables: cannot tell the rules that hawserd runs: %s; 'hawser "
			    "intercept --method redirect' needs a hawserd with CAP_NET_ADMIN",
			    strerror(-err));
		heartbeat->complained = err;
	}
}

static void heartbeat_on_beat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct heartbeat *heartbeat = timer->data;

	(void)loop;
	(void)events;
	if (!heartbeat->paused && !heartbeat->without_nftables)
		heartbeat_beat_sets(heartbeat);
	heartbeat_beat_map(heartbeat, !heartbeat->paused);
	if (heartbeat->auto_bypass)
		heartbeat_take_detours(heartbeat);
	steer_maps_close(&heartbeat->maps);
}

struct heartbeat *heartbeat_open(struct ev_loop *loop, struct worker *const *workers,
				 size_t worker_count)
{
	struct heartbeat *heartbeat = calloc(1, sizeof(*heartbeat));

	if (!heartbeat)
		return NULL;
	heartbeat->loop = loop;
	heartbeat->workers = workers;
	heartbeat->worker_count = worker_count;
	ev_timer_init(&heartbeat->beat, heartbeat_on_beat, 0., BEAT_S);
	heartbeat->beat.data = heartbeat;
	return heartbeat;
}

static bool has_family(const struct families *families, uint8_t protocol)
{
	for (size_t i = 0; i < families->count; i++)
		if (families->list[i].key[0] == protocol)
			return true;
	return false;
}

static struct families families_of(const struct config *config)
{
	struct families families = {.count = 0};

	for (size_t i = 0; i < config->listen_count; i++) {
		const struct listen_config *listen = &config->listen[i];
		const uint8_t protocol =
			listen->address.sa.sa_family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

		if (listen->transparent && !has_family(&families, protocol))
			families.list[families.count++] =
				(struct nft_set_element){.key = {protocol}, .key_len = 1};
	}
	return families;
}

/* One by one: what has timed out already cannot be deleted. */
static void delete_from(const struct heartbeat *heartbeat, const char *set,
			const struct families *except)
{
	const struct families *families = &heartbeat->families;

	for (size_t i = 0; i < families->count && !heartbeat->without_nftables; i++)
		if (!except || !has_family(except, families->list[i].key[0]))
			(void)nft_set_delete(set, &families->list[i], 1);
}

void heartbeat_start(struct heartbeat *heartbeat, const struct config *config)
{
	const struct families families = families_of(config);

	heartbeat->without_nftables = false;
	heartbeat->auto_bypass = config->intercept.auto_bypass;
	heartbeat->expiry_ms = (uint64_t)(config->tcp_only.expiry_s * 1e3);
	if (families.count == 0) {
		heartbeat_stop(heartbeat);
		return;
	}
	delete_from(heartbeat, ALIVE, &families);
	delete_from(heartbeat, HOLDING, &families);
	heartbeat->families = families;
	ev_timer_again(heartbeat->loop, &heartbeat->beat);
	heartbeat_on_beat(heartbeat->loop, &heartbeat->beat, 0);
}

static void heartbeat_say_dead(struct heartbeat *heartbeat)
{
	if (heartbeat->families.count > 0) {
		heartbeat_beat_map(heartbeat, false);
		steer_maps_close(&heartbeat->maps);
	}
	delete_from(heartbeat, ALIVE, NULL);
	delete_from(heartbeat, HOLDING, NULL);
}

void heartbeat_stop(struct heartbeat *heartbeat)
{
	ev_timer_stop(heartbeat->loop, &heartbeat->beat);
	heartbeat_say_dead(heartbeat);
	heartbeat->families.count = 0;
}

void heartbeat_hold_no_more(const struct heartbeat *heartbeat)
{
	delete_from(heartbeat, HOLDING, NULL);
}

void heartbeat_leave(struct heartbeat *heartbeat)
{
	ev_timer_stop(heartbeat->loop, &heartbeat->beat);
	heartbeat_hold_no_more(heartbeat);
	heartbeat->families.count = 0;
}

void heartbeat_pause(struct heartbeat *heartbeat, bool paused)
{
	if (paused && !heartbeat->paused)
		heartbeat_say_dead(heartbeat);
	heartbeat->paused = paused;
	if (paused)
		return;
	/* What is in force now may have brought nftables with it, and knows of no beat. */
	heartbeat->without_nftables = false;
	if (ev_is_active(&heartbeat->beat))
		heartbeat_on_beat(heartbeat->loop, &heartbeat->beat, 0);
}

void heartbeat_end_taken(struct heartbeat *heartbeat)
{
	for (size_t w = 0; w < heartbeat->worker_count; w++)
		worker_end_taken(heartbeat->workers[w]);
}

void heartbeat_close(struct heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	heartbeat_stop(heartbeat);
	free(heartbeat);
}
