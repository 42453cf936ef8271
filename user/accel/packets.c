/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only user of the BPF skeleton of bpf/packets.bpf.c: load; slots, keys and events. */
#include "accel/packets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/event_ring.h"
#include "accel/map_view.h"
#include "accel/packets_device.h"
#include "accel/packets_icmp.h"
#include "accel/refusal.h"
#include "base/clock.h"
#include "base/libbpf_log.h"
#include "net/conntrack.h"
#include "net/netlink.h"
#include "net/way.h"
#include "packets.skel.h"

/* The events of a pair that may wait at once, in bytes of the ring: it is taken, two FINs, the end,
 * and some resets. */
#define RING_BYTES_PER_SLOT 256

/* How long after its last packet a pair that has ended is forgotten; and when few slots are free.
 */
#define CLOSED_S      60.
#define CLOSED_FULL_S 5.

/* Another CPU may still be at work on a packet that found the pair. */
#define REST_S 1.

/* Of packets with bytes that brought nothing new, or came late, so many, and one of so many, are
 * losses: there two TCPs do better than one. Who is taken loses less (packets_learn.c). */
#define LOSSES_MIN 8U
#define LOSSES_OF  100U

struct place {
	void *owner;   /* NULL: not in use */
	double left_s; /* when it was left; 0: it is not waiting to be free */
	bool keyed;
};

struct packets_worker {
	struct packets *packets;
	unsigned int index;
	struct netlink *netlink;
	struct netlink *netfilter; /* NULL: this kernel has none */
	struct event_ring ring;
	packets_event_fn *handle; /* while events are read */
	uint32_t first;		  /* slot */
	struct map_view view;	  /* of slot first and those after it, as far as they were used */
	uint32_t generation;
	struct place *places;	   /* of slot first + i */
	unsigned int *free_places; /* a stack */
	unsigned int free_count;
};

struct packets {
	struct packets_bpf *skeleton;
	struct map_view view;
	uint64_t *owner; /* a sign of life for a successor, in view */
	pthread_mutex_t lock;
	uint32_t counts[HAWSER_PACKETS_BUCKETS]; /* of keys with that hash */
	struct packets_devices *devices;
	struct packets_icmp *icmp; /* NULL: peers are not told of packets that are too big */
	struct packets_worker *workers;
	unsigned int worker_count;
	unsigned int slots; /* per worker */
	struct feature_state feature;
};

static int worker_on_event(void *context, void *data, size_t size)
{
	struct packets_worker *worker = context;
	const struct hawser_packets_event *event = data;
	const uint32_t i = event->slot - worker->first;

	if (size >= sizeof(*event) && i < worker->packets->slots && worker->places[i].owner)
		worker->handle(worker->places[i].owner, event);
	return 0;
}

static int worker_open(struct packets *packets, unsigned int index)
{
	struct packets_worker *worker = &packets->workers[index];
	const struct packets_bpf *skeleton = packets->skeleton;
	const size_t share_bytes = packets->slots * sizeof(struct hawser_packets_pair);
	int err;

	*worker = (struct packets_worker){.packets = packets, .index = index};
	worker->first = index * packets->slots;
	worker->places = calloc(packets->slots, sizeof(*worker->places));
	worker->free_places = calloc(packets->slots, sizeof(*worker->free_places));
	worker->netlink = netlink_open(NETLINK_ROUTE);
	worker->netfilter = netlink_open(NETLINK_NETFILTER);
	if (!worker->places || !worker->free_places || !worker->netlink)
		return -ENOMEM;
	/* Low numbers first: a dump of the map then starts with what is in use. */
	while (worker->free_count < packets->slots) {
		worker->free_places[worker->free_count] = packets->slots - 1 - worker->free_count;
		worker->free_count++;
	}
	err = map_view_reserve(&worker->view, bpf_map__fd(skeleton->maps.pairs),
			       index * share_bytes, share_bytes);
	return err ? err
		   : event_ring_open(&worker->ring, (uint64_t)packets->slots * RING_BYTES_PER_SLOT,
				     bpf_map__fd(skeleton->maps.events), index, worker_on_event,
				     worker);
}

static void worker_close(struct packets_worker *worker)
{
	netlink_close(worker->netlink);
	netlink_close(worker->netfilter);
	event_ring_close(&worker->ring);
	map_view_close(&worker->view);
	free(worker->places);
	free(worker->free_places);
}

/* As it is in the map; valid after its slot was given out. */
static struct hawser_packets_pair *worker_pair(const struct packets_worker *worker, uint32_t slot)
{
	return (struct hawser_packets_pair *)worker->view.memory + (slot - worker->first);
}

/* 0 or -errno. */
static int packets_load(struct packets *packets, const struct packets_options *options)
{
	struct packets_bpf *skeleton = packets_bpf__open();
	const uint32_t slots = packets->slots * options->workers;
	int err;

	if (!skeleton)
		return -errno;
	packets->skeleton = skeleton;
	err = bpf_map__set_max_entries(skeleton->maps.pairs, slots);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.keys, 2 * slots);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.events, options->workers);
	return err ? err : packets_bpf__load(skeleton);
}

/* What the workers need besides the program. 0 or -errno. */
static int packets_equip(struct packets *packets, unsigned int workers)
{
	const struct packets_bpf *skeleton = packets->skeleton;
	int err;

	err = map_view_open(&packets->view, bpf_map__fd(skeleton->maps.packet_owner),
			    sizeof(*packets->owner));
	if (err)
		return err;
	packets->owner = packets->view.memory;
	*packets->owner = clock_monotonic_ns();
	packets->devices = packets_devices_open(bpf_program__fd(skeleton->progs.hawser_packets),
						bpf_program__fd(skeleton->progs.hawser_packets3));
	packets->icmp = packets_icmp_open();
	packets->workers = calloc(workers, sizeof(*packets->workers));
	if (!packets->devices || !packets->workers)
		return -ENOMEM;
	while (packets->worker_count < workers) {
		err = worker_open(packets, packets->worker_count++);
		if (err)
			return err;
	}
	return 0;
}

struct packets *packets_open(const struct packets_options *options)
{
	struct packets *packets = calloc(1, sizeof(*packets));
	const char *what = "the kernel does not load the program";
	int err;

	if (!packets)
		return NULL;
	pthread_mutex_init(&packets->lock, NULL);
	packets->slots = options->slots;
	packets->feature.name = "packets";
	if (options->off) {
		refusal_note(&packets->feature, options->off, 0);
		return packets;
	}
	/* What takes a lock instead is not atomic to the BPF program. */
	if (!__atomic_always_lock_free(sizeof(uint64_t), NULL)) {
		refusal_note(&packets->feature, "no atomic operations on 64 bits", 0);
		return packets;
	}
	libbpf_log_start();
	err = packets_load(packets, options);
	if (!err) {
		what = "maps and rings";
		err = packets_equip(packets, options->workers);
	}
	if (err) {
		refusal_note(&packets->feature, what, err);
		packets_bpf__destroy(packets->skeleton);
		packets->skeleton = NULL;
		return packets;
	}
	refusal_note(&packets->feature, "not tried", 0);
	return packets;
}

void packets_close(struct packets *packets)
{
	if (!packets)
		return;
	packets_devices_close(packets->devices);
	packets_icmp_close(packets->icmp);
	for (unsigned int i = 0; i < packets->worker_count; i++)
		worker_close(&packets->workers[i]);
	free(packets->workers);
	map_view_close(&packets->view);
	packets_bpf__destroy(packets->skeleton);
	pthread_mutex_destroy(&packets->lock);
	free(packets);
}

struct packets_worker *packets_worker_to_try(struct packets *packets)
{
	return packets->skeleton ? &packets->workers[0] : NULL;
}

void packets_set_tried(struct packets *packets, const char *fault)
{
	packets->feature.available = !fault;
	snprintf(packets->feature.reason, sizeof(packets->feature.reason), "%s",
		 fault ? fault : "");
}

int packets_run(struct packets *packets, uint8_t *frame, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len,
		    .data_out = frame, .data_size_out = (uint32_t)len, .repeat = 1);
	int err = bpf_prog_test_run_opts(bpf_program__fd(packets->skeleton->progs.hawser_packets),
					 &opts);

	return err ? err : (int)opts.retval;
}

const struct feature_state *packets_feature(const struct packets *packets)
{
	return &packets->feature;
}

struct packets_worker *packets_worker(struct packets *packets, unsigned int index)
{
	return packets->feature.available ? &packets->workers[index] : NULL;
}

int packets_event_fd(const struct packets_worker *worker)
{
	return ring_buffer__epoll_fd(worker->ring.buffer);
}

void packets_read_events(struct packets_worker *worker, packets_event_fn *handle)
{
	worker->handle = handle;
	/* What there was no room for, packets_tidy() finds. */
	(void)event_ring_read(&worker->ring);
}

int packets_device_to(struct packets_worker *worker, const union address *own,
		      const union address *peer, uint32_t mark, bool foreign)
{
	return way_device(worker->netlink, peer, own, mark, foreign);
}

int packets_attend(struct packets_worker *worker, int device)
{
	return packets_devices_attend(worker->packets->devices, device);
}

bool packets_tell_too_big(const struct packets_worker *worker,
			  const struct hawser_packets_pair *pair, unsigned int leg, uint32_t seq)
{
	return worker->packets->icmp && packets_icmp_too_big(worker->packets->icmp, pair, leg, seq);
}

void packets_untrack(const struct packets_worker *worker, const union address *client,
		     const union address *client_own, const union address *server_own,
		     const union address *server)
{
	if (!worker->netfilter || !conntrack_is_there())
		return;
	(void)conntrack_forget(worker->netfilter, client, client_own);
	(void)conntrack_forget(worker->netfilter, server_own, server);
}

static struct hawser_packets_key leg_key(const struct hawser_packets_pair *pair, unsigned int leg)
{
	const struct hawser_packets_leg *at = &pair->legs[leg];
	struct hawser_packets_key key = {
		.source_port = at->peer_port,
		.destination_port = at->own_port,
		.family = pair->family,
	};

	memcpy(key.source, at->peer, sizeof(key.source));
	memcpy(key.destination, at->own, sizeof(key.destination));
	return key;
}

/* One key more with that hash, or one less. */
static void bucket_count(struct packets *packets, const struct hawser_packets_key *key, int more)
{
	const uint32_t bucket = hawser_packets_bucket_of(key);
	__u64 *bits = &packets->skeleton->bss->buckets[bucket / 64];

	pthread_mutex_lock(&packets->lock);
	packets->counts[bucket] += (uint32_t)more;
	if (packets->counts[bucket] > 0)
		__atomic_fetch_or(bits, 1ULL << bucket % 64, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(bits, ~(1ULL << bucket % 64), __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&packets->lock);
}

static int key_insert(struct packets *packets, const struct hawser_packets_pair *pair,
		      uint32_t slot, unsigned int leg)
{
	const struct hawser_packets_key key = leg_key(pair, leg);
	const struct hawser_packets_value value = {
		.slot = slot, .leg = leg, .generation = pair->generation};

	/* Of an older connection with the same ports, which has ended, it may take the place. */
	if (bpf_map_update_elem(bpf_map__fd(packets->skeleton->maps.keys), &key, &value, BPF_ANY))
		return refusal_of_hash();
	bucket_count(packets, &key, 1);
	return 0;
}

static void key_remove(struct packets *packets, const struct hawser_packets_pair *pair,
		       uint32_t slot, unsigned int leg)
{
	const int keys = bpf_map__fd(packets->skeleton->maps.keys);
	const struct hawser_packets_key key = leg_key(pair, leg);
	struct hawser_packets_value value;

	if (!bpf_map_lookup_elem(keys, &key, &value) && value.slot == slot &&
	    value.generation == pair->generation)
		bpf_map_delete_elem(keys, &key);
	bucket_count(packets, &key, -1);
}

int packets_enter(struct packets_worker *worker, const struct hawser_packets_pair *initial,
		  void *owner, struct hawser_packets_pair **pair)
{
	struct packets *packets = worker->packets;
	unsigned int i;
	uint32_t slot;
	int err;

	if (worker->free_count == 0)
		return -ENOSPC;
	i = worker->free_places[worker->free_count - 1];
	slot = worker->first + i;
	/* Low slots come first. */
	err = map_view_reach(&worker->view, (i + 1) * sizeof(**pair));
	if (err)
		return err;
	*pair = worker_pair(worker, slot);
	**pair = *initial;
	(*pair)->worker = worker->index;
	(*pair)->generation = ++worker->generation;
	err = key_insert(packets, *pair, slot, 0);
	if (err)
		return err;
	err = key_insert(packets, *pair, slot, 1);
	if (err) {
		key_remove(packets, *pair, slot, 0);
		return err;
	}
	worker->free_count--;
	worker->places[i] = (struct place){.owner = owner, .keyed = true};
	return (int)slot;
}

static void place_forget(struct packets_worker *worker, unsigned int i, double now)
{
	const uint32_t slot = worker->first + i;
	struct hawser_packets_pair *pair = worker_pair(worker, slot);

	key_remove(worker->packets, pair, slot, 0);
	key_remove(worker->packets, pair, slot, 1);
	__atomic_store_n(&pair->word, HAWSER_PACKETS_FREE, __ATOMIC_SEQ_CST);
	worker->places[i].keyed = false;
	worker->places[i].left_s = now;
}

/* When a packet of it came last; what comes after both ends does not count. */
static double last_s(const struct hawser_packets_pair *pair)
{
	const uint64_t client_ns = __atomic_load_n(&pair->legs[0].last_ns, __ATOMIC_RELAXED);
	const uint64_t server_ns = __atomic_load_n(&pair->legs[1].last_ns, __ATOMIC_RELAXED);

	return (double)(client_ns > server_ns ? client_ns : server_ns) / 1e9;
}

/* Whether it is still to be forwarded. */
static bool place_lasts(const struct packets_worker *worker, unsigned int i, double now)
{
	const struct hawser_packets_pair *pair = worker_pair(worker, worker->first + i);
	const bool full = worker->free_count < worker->packets->slots / 4;

	return (__atomic_load_n(&pair->word, __ATOMIC_SEQ_CST) & HAWSER_PACKETS_STATE) ==
		       HAWSER_PACKETS_CLOSED &&
	       now - last_s(pair) < (full ? CLOSED_FULL_S : CLOSED_S);
}

void packets_leave(struct packets_worker *worker, int slot)
{
	const unsigned int i = (unsigned int)slot - worker->first;
	const double now = clock_monotonic_s();

	worker->places[i].owner = NULL;
	if (!place_lasts(worker, i, now))
		place_forget(worker, i, now);
}

static bool is_lossy(const struct hawser_packets_pair *pair)
{
	for (int i = 0; i < 2; i++) {
		const struct hawser_packets_leg *leg = &pair->legs[i];
		const uint64_t again = __atomic_load_n(&leg->again, __ATOMIC_RELAXED);

		if (again >= LOSSES_MIN &&
		    again * LOSSES_OF > __atomic_load_n(&leg->packets, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* Of a place in use. What has happened is told again, as there may have been no room for the event;
 * but for a reset, after which silence tells. */
static void place_look(struct packets_worker *worker, unsigned int i, double now, double idle_s,
		       packets_event_fn *handle)
{
	struct hawser_packets_event event = {.slot = worker->first + i};
	const struct hawser_packets_pair *pair = worker_pair(worker, event.slot);

	switch (__atomic_load_n(&pair->word, __ATOMIC_SEQ_CST) & HAWSER_PACKETS_STATE) {
	case HAWSER_PACKETS_TAKEN:
		event.kind = pair->unusual		   ? HAWSER_PACKETS_EVENT_UNUSUAL
			     : now - last_s(pair) > idle_s ? HAWSER_PACKETS_EVENT_IDLE
			     : is_lossy(pair)		   ? HAWSER_PACKETS_EVENT_LOSSY
							   : HAWSER_PACKETS_EVENT_TAKEN;
		break;
	case HAWSER_PACKETS_CLOSED:
	case HAWSER_PACKETS_FREE:
		event.kind = HAWSER_PACKETS_EVENT_CLOSED;
		break;
	default:
		return;
	}
	handle(worker->places[i].owner, &event);
}

void packets_tidy(struct packets_worker *worker, double idle_s, packets_event_fn *handle)
{
	const double now = clock_monotonic_s();

	*worker->packets->owner = clock_monotonic_ns();
	if (worker->index == 0)
		packets_devices_tend(worker->packets->devices);
	for (unsigned int i = 0;
	     worker->free_count < worker->packets->slots && i < worker->packets->slots; i++) {
		struct place *place = &worker->places[i];

		if (place->owner) {
			place_look(worker, i, now, idle_s, handle);
		} else if (place->keyed) {
			if (!place_lasts(worker, i, now))
				place_forget(worker, i, now);
		} else if (place->left_s > 0 && now - place->left_s > REST_S) {
			*place = (struct place){0};
			worker->free_places[worker->free_count++] = i;
		}
	}
}
