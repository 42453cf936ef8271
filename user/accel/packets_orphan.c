/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of a hawserd that was killed. */
#include "accel/packets_orphan.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <ev.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/map_view.h"
#include "accel/packets_device.h"
#include "base/clock.h"
#include "base/libbpf_log.h"
#include "base/log.h"
#include "hawser_packets.h"
#include "intercept/tc_hook.h"

#define MAPS_MAX 16 /* more than the program has */

/* As long as RFC 5382 wants a NAT to remember an idle connection, and as the peers' sockets do with
 * what has ended. */
#define IDLE_NS	  7440000000000ULL
#define CLOSED_NS 60000000000ULL

#define LOOK_S 1.

struct orphan {
	struct orphan *next;
	const struct tc_program *which;
	unsigned int ifindex;
	int program;
	struct map_view pairs;
	struct map_view owner;
};

struct packets_orphans {
	struct ev_loop *loop;
	ev_timer second;
	struct orphan *list;
};

/* What is mapped keeps the map. */
static void orphan_look_at_map(struct orphan *orphan, __u32 id)
{
	struct map_view *view = NULL;
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.name[0] = '\0';
	if (strcmp(info.name, "pairs") == 0 &&
	    info.value_size == sizeof(struct hawser_packets_pair))
		view = &orphan->pairs;
	else if (strcmp(info.name, "packet_owner") == 0 && info.value_size == sizeof(uint64_t))
		view = &orphan->owner;
	if (view)
		(void)map_view_open(view, fd, (size_t)info.value_size * info.max_entries);
	close(fd);
}

static struct orphan *orphan_open(const struct tc_program *which, unsigned int ifindex, int program)
{
	__u32 ids[MAPS_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	__u32 len = sizeof(info);
	struct orphan *orphan = calloc(1, sizeof(*orphan));

	if (!orphan || bpf_obj_get_info_by_fd(program, &info, &len)) {
		free(orphan);
		close(program);
		return NULL;
	}
	*orphan = (struct orphan){.which = which, .ifindex = ifindex, .program = program};
	for (__u32 i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++)
		orphan_look_at_map(orphan, ids[i]);
	return orphan;
}

static void orphan_close(struct orphan *orphan)
{
	map_view_close(&orphan->pairs);
	map_view_close(&orphan->owner);
	close(orphan->program);
	free(orphan);
}

/* Those that are there, also of a hawserd that lives: what tells them apart is looked at later. */
static struct orphan *orphans_find(void)
{
	static const struct tc_program *const programs[] = {&packets_ethernet, &packets_bare};
	const enum tc_hook hook = tc_hook_probe();
	struct if_nameindex *all = if_nameindex();
	struct orphan *list = NULL;

	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		for (int p = 0; p < 2; p++) {
			int fd;

			for (unsigned int nth = 0;
			     (fd = tc_hook_find_nth(hook, programs[p], i->if_index, nth)) >= 0;
			     nth++) {
				struct orphan *orphan = orphan_open(programs[p], i->if_index, fd);

				if (!orphan)
					continue;
				orphan->next = list;
				list = orphan;
			}
		}
	}
	if (all)
		if_freenameindex(all);
	return list;
}

static uint64_t last_ns(const struct hawser_packets_pair *pair)
{
	return pair->legs[0].last_ns > pair->legs[1].last_ns ? pair->legs[0].last_ns
							     : pair->legs[1].last_ns;
}

bool packets_orphan_pair_lasts(struct hawser_packets_pair *pair, uint64_t now_ns)
{
	__u64 word = __atomic_load_n(&pair->word, __ATOMIC_SEQ_CST);
	const uint64_t state = word & HAWSER_PACKETS_STATE;
	const uint64_t last = last_ns(pair);
	const uint64_t silent_ns = now_ns > last ? now_ns - last : 0;
	/* A reset that was right is followed by silence. */
	const bool over =
		state == HAWSER_PACKETS_CLOSED || (pair->reset_ns > 0 && last <= pair->reset_ns);

	if (state == HAWSER_PACKETS_FREE)
		return false;
	if ((state == HAWSER_PACKETS_TAKEN || state == HAWSER_PACKETS_CLOSED) &&
	    silent_ns < (over ? CLOSED_NS : IDLE_NS))
		return true;
	/* Unless its owner has only slept, and has just changed it. */
	return !__atomic_compare_exchange_n(&pair->word, &word, HAWSER_PACKETS_FREE, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool packets_orphan_owner_lives(uint64_t said_ns, uint64_t now_ns)
{
	return (int64_t)(now_ns - said_ns) < (int64_t)HAWSER_PACKETS_ALIVE_NS;
}

/* Whether it has anything to do, or an owner who sees to it. */
static bool orphan_lasts(const struct orphan *orphan)
{
	const uint64_t now = clock_monotonic_ns();
	const uint64_t *owner = orphan->owner.memory;
	struct hawser_packets_pair *pairs = orphan->pairs.memory;
	bool lasts = false;

	/* Of another version: it is not understood, so it stays as long as its interface. */
	if (!owner || !pairs ||
	    packets_orphan_owner_lives(__atomic_load_n(owner, __ATOMIC_RELAXED), now))
		return true;
	for (size_t i = 0; i < orphan->pairs.bytes / sizeof(*pairs); i++)
		lasts |= packets_orphan_pair_lasts(&pairs[i], now);
	return lasts;
}

/* Forgets what has ended or been silent for long, of those whose owner is gone; detaches those that
 * have nothing left. */
static void orphans_on_second(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct packets_orphans *orphans = timer->data;
	struct orphan **link = &orphans->list;

	(void)events;
	while (*link) {
		struct orphan *orphan = *link;

		if (orphan_lasts(orphan)) {
			link = &orphan->next;
			continue;
		}
		log_info("packets: what an earlier hawserd left on interface %u is over",
			 orphan->ifindex);
		(void)tc_hook_detach(tc_hook_probe(), orphan->which, orphan->ifindex,
				     orphan->program);
		*link = orphan->next;
		orphan_close(orphan);
	}
	if (!orphans->list)
		ev_timer_stop(loop, timer);
}

struct packets_orphans *packets_orphans_open(struct ev_loop *loop)
{
	struct packets_orphans *orphans = calloc(1, sizeof(*orphans));

	if (!orphans)
		return NULL;
	libbpf_log_start();
	orphans->loop = loop;
	orphans->list = orphans_find();
	ev_timer_init(&orphans->second, orphans_on_second, LOOK_S, LOOK_S);
	orphans->second.data = orphans;
	if (orphans->list)
		ev_timer_start(loop, &orphans->second);
	return orphans;
}

void packets_orphans_close(struct packets_orphans *orphans)
{
	if (!orphans)
		return;
	ev_timer_stop(orphans->loop, &orphans->second);
	while (orphans->list) {
		struct orphan *next = orphans->list->next;

		orphan_close(orphans->list);
		orphans->list = next;
	}
	free(orphans);
}
