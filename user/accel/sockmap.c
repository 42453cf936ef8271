/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only user of the BPF skeleton: load, probe, pin; slots and events of the workers. */
#include "accel/sockmap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/event_ring.h"
#include "accel/map_view.h"
#include "accel/refusal.h"
#include "accel/sockmap_pin.h"
#include "base/libbpf_log.h"
#include "sockmap.skel.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

static const char *const sockmap_names[SOCKMAP_FEATURE_COUNT] = {
	[SOCKMAP_PROGRAM] = "bpf",
	[SOCKMAP_TCP] = "sockmap-tcp",
	[SOCKMAP_MPTCP] = "sockmap-mptcp",
	[SOCKMAP_PINS] = "bpf-pins",
};

/* However many slots there are: what there is no room for is looked for. */
#define RING_BYTES 16384

struct sockmap_worker {
	struct sockmap *sockmap;
	unsigned int index;
	struct event_ring ring;
	sockmap_event_fn *handle; /* while events are read */
	uint32_t first;		  /* slot */
	struct map_view view;	  /* of slot first and those after it, as far as they were used */
	void **owners;		  /* of slot first + i */
	uint32_t *free_slots;	  /* a stack */
	unsigned int free_count;
};

struct sockmap {
	struct sockmap_bpf *skeleton;
	struct sockmap_worker *workers;
	unsigned int worker_count;
	unsigned int slots; /* per worker */
	uint32_t budget;
	char *pin_path;
	struct feature_state features[SOCKMAP_FEATURE_COUNT];
};

static int worker_on_event(void *context, void *data, size_t size)
{
	struct sockmap_worker *worker = context;
	const struct hawser_event *event = data;
	uint32_t i = event->slot - worker->first;

	if (size >= sizeof(*event) && i < worker->sockmap->slots && worker->owners[i])
		worker->handle(worker->owners[i], event->kind);
	return 0;
}

static int worker_open(struct sockmap *sockmap, unsigned int index)
{
	struct sockmap_worker *worker = &sockmap->workers[index];
	const size_t share_bytes = sockmap->slots * sizeof(struct hawser_flow);
	int err;

	*worker = (struct sockmap_worker){.sockmap = sockmap, .index = index};
	worker->first = index * sockmap->slots;
	worker->owners = calloc(sockmap->slots, sizeof(*worker->owners));
	worker->free_slots = calloc(sockmap->slots, sizeof(*worker->free_slots));
	if (!worker->owners || !worker->free_slots)
		return -ENOMEM;
	/* Low numbers first: a dump of the map then starts with what is in use. */
	while (worker->free_count < sockmap->slots) {
		worker->free_slots[worker->free_count] =
			worker->first + sockmap->slots - 1 - worker->free_count;
		worker->free_count++;
	}
	err = map_view_reserve(&worker->view, bpf_map__fd(sockmap->skeleton->maps.flows),
			       index * share_bytes, share_bytes);
	return err ? err
		   : event_ring_open(&worker->ring, RING_BYTES,
				     bpf_map__fd(sockmap->skeleton->maps.events), index,
				     worker_on_event, worker);
}

static void worker_close(struct sockmap_worker *worker)
{
	event_ring_close(&worker->ring);
	map_view_close(&worker->view);
	free(worker->owners);
	free(worker->free_slots);
}

/* As it is in the map; valid after its slot was given out. */
static struct hawser_flow *worker_flow(const struct sockmap_worker *worker, uint32_t slot)
{
	return (struct hawser_flow *)worker->view.memory + (slot - worker->first);
}

/* 0 or -errno. */
static int sockmap_load(struct sockmap *sockmap, const struct sockmap_options *options)
{
	struct sockmap_bpf *skeleton = sockmap_bpf__open();
	uint32_t slots = sockmap->slots * options->workers;
	int err;

	if (!skeleton)
		return -errno;
	sockmap->skeleton = skeleton;
	/* Another type of program may not call what this one calls. */
	if (options->simulate_refusal)
		bpf_program__set_type(skeleton->progs.hawser_sockmap, BPF_PROG_TYPE_SOCKET_FILTER);
	err = bpf_map__set_max_entries(skeleton->maps.flows, slots);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.slots, slots);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.sources, slots);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.targets, slots);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.events, options->workers);
	return err ? err : sockmap_bpf__load(skeleton);
}

/* What the workers need besides the program. 0 or -errno. */
static int sockmap_equip(struct sockmap *sockmap, unsigned int workers)
{
	sockmap->workers = calloc(workers, sizeof(*sockmap->workers));
	if (!sockmap->workers)
		return -ENOMEM;
	while (sockmap->worker_count < workers) {
		const int failed = worker_open(sockmap, sockmap->worker_count++);

		if (failed)
			return failed;
	}
	return 0;
}

/* 0 or -errno. */
static int sockmap_attach(const struct sockmap *sockmap)
{
	const int program = bpf_program__fd(sockmap->skeleton->progs.hawser_sockmap);
	const int sources = bpf_map__fd(sockmap->skeleton->maps.sources);

	/* The second, without a parser of its own, is the older spelling of the first. */
	if (bpf_prog_attach(program, sources, BPF_SK_SKB_VERDICT, 0) &&
	    bpf_prog_attach(program, sources, BPF_SK_SKB_STREAM_VERDICT, 0))
		return -errno;
	return 0;
}

static void sockmap_get_pin_fds(const struct sockmap *sockmap, int fds[static SOCKMAP_PIN_COUNT])
{
	fds[SOCKMAP_PIN_FLOWS] = bpf_map__fd(sockmap->skeleton->maps.flows);
	fds[SOCKMAP_PIN_SLOTS] = bpf_map__fd(sockmap->skeleton->maps.slots);
	fds[SOCKMAP_PIN_SOURCES] = bpf_map__fd(sockmap->skeleton->maps.sources);
	fds[SOCKMAP_PIN_TARGETS] = bpf_map__fd(sockmap->skeleton->maps.targets);
}

static void sockmap_pin_all(struct sockmap *sockmap, const char *path)
{
	struct feature_state *state = &sockmap->features[SOCKMAP_PINS];
	int fds[SOCKMAP_PIN_COUNT];

	if (!path) {
		refusal_note(&sockmap->features[SOCKMAP_PINS], "switched off", 0);
		return;
	}
	sockmap->pin_path = strdup(path);
	if (!sockmap->pin_path) {
		refusal_note(&sockmap->features[SOCKMAP_PINS], "no memory", 0);
		return;
	}
	sockmap_get_pin_fds(sockmap, fds);
	state->available =
		!sockmap_pin(sockmap->pin_path, fds, state->reason, sizeof(state->reason));
}

struct sockmap *sockmap_open(const struct sockmap_options *options)
{
	struct sockmap *sockmap = calloc(1, sizeof(*sockmap));
	const char *what = "the kernel does not load the program";
	int err;

	if (!sockmap)
		return NULL;
	sockmap->slots = options->slots;
	sockmap->budget = options->budget_bytes > SOCKMAP_BUDGET_MIN_BYTES
				  ? options->budget_bytes
				  : SOCKMAP_BUDGET_MIN_BYTES;
	for (unsigned int i = 0; i < SOCKMAP_FEATURE_COUNT; i++)
		sockmap->features[i].name = sockmap_names[i];
	if (options->off) {
		for (unsigned int i = 0; i < SOCKMAP_FEATURE_COUNT; i++)
			refusal_note(&sockmap->features[i], "switched off: bpf = off", 0);
		return sockmap;
	}
	/* What takes a lock instead is not atomic to the BPF program. */
	if (!__atomic_always_lock_free(sizeof(uint64_t), NULL)) {
		for (unsigned int i = 0; i < SOCKMAP_FEATURE_COUNT; i++)
			refusal_note(&sockmap->features[i], "no atomic operations on 64 bits", 0);
		return sockmap;
	}
	libbpf_log_start();
	/* libbpf raises RLIMIT_MEMLOCK by itself on the kernels that need it (before 5.11). */
	err = sockmap_load(sockmap, options);
	if (!err) {
		what = "maps and rings";
		err = sockmap_equip(sockmap, options->workers);
	}
	if (!err) {
		what = "the kernel does not attach the program to a sockmap";
		err = sockmap_attach(sockmap);
	}
	if (err) {
		refusal_note(&sockmap->features[SOCKMAP_PROGRAM], what, err);
		for (unsigned int i = SOCKMAP_TCP; i < SOCKMAP_FEATURE_COUNT; i++)
			refusal_note(&sockmap->features[i], "no program", 0);
		return sockmap;
	}
	sockmap->features[SOCKMAP_PROGRAM].available = true;
	for (unsigned int i = SOCKMAP_TCP; i <= SOCKMAP_MPTCP; i++)
		refusal_note(&sockmap->features[i], "not tried", 0);
	sockmap_pin_all(sockmap, options->pin_path);
	return sockmap;
}

void sockmap_set_tried(struct sockmap *sockmap, enum sockmap_feature feature, const char *fault)
{
	struct feature_state *state = &sockmap->features[feature];

	state->available = !fault;
	snprintf(state->reason, sizeof(state->reason), "%s", fault ? fault : "");
}

struct sockmap_worker *sockmap_worker_to_try(struct sockmap *sockmap)
{
	return sockmap->features[SOCKMAP_PROGRAM].available ? &sockmap->workers[0] : NULL;
}

void sockmap_close(struct sockmap *sockmap)
{
	int fds[SOCKMAP_PIN_COUNT];

	if (!sockmap)
		return;
	if (sockmap->features[SOCKMAP_PINS].available) {
		sockmap_get_pin_fds(sockmap, fds);
		sockmap_unpin(sockmap->pin_path, fds);
	}
	for (unsigned int i = 0; i < sockmap->worker_count; i++)
		worker_close(&sockmap->workers[i]);
	free(sockmap->workers);
	sockmap_bpf__destroy(sockmap->skeleton);
	free(sockmap->pin_path);
	free(sockmap);
}

struct sockmap_worker *sockmap_worker(struct sockmap *sockmap, unsigned int index)
{
	return sockmap->features[SOCKMAP_TCP].available ? &sockmap->workers[index] : NULL;
}

int sockmap_event_fd(const struct sockmap_worker *worker)
{
	return ring_buffer__epoll_fd(worker->ring.buffer);
}

/* Whether it is as such an event tells. */
static bool flow_is(const struct hawser_flow *flow, enum hawser_event_kind kind)
{
	const uint64_t word = __atomic_load_n(&flow->word, __ATOMIC_SEQ_CST);

	switch (kind) {
	case HAWSER_EVENT_LOW:
		return !(word & HAWSER_WORD_PASS) && (word & HAWSER_WORD_CREDIT) < flow->low_water;
	case HAWSER_EVENT_PASSED:
		return word & HAWSER_WORD_PASS;
	case HAWSER_EVENT_BROKEN:
		return *(const volatile __u64 *)&flow->broken > 0;
	}
	return false;
}

void sockmap_read_events(struct sockmap_worker *worker, sockmap_event_fn *handle)
{
	static const enum hawser_event_kind kinds[] = {HAWSER_EVENT_LOW, HAWSER_EVENT_PASSED,
						       HAWSER_EVENT_BROKEN};

	worker->handle = handle;
	if (!event_ring_read(&worker->ring))
		return;
	for (unsigned int i = 0; i < worker->sockmap->slots; i++)
		for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (worker->owners[i] &&
			    flow_is(worker_flow(worker, worker->first + i), kinds[k]))
				handle(worker->owners[i], kinds[k]);
}

unsigned int sockmap_pairs(const struct sockmap_worker *worker)
{
	return (worker->sockmap->slots - worker->free_count) / 2;
}

void sockmap_each(struct sockmap_worker *worker, sockmap_visit_fn *visit, void *arg)
{
	for (unsigned int i = 0; i < worker->sockmap->slots; i++)
		if (worker->owners[i])
			visit(worker->owners[i], arg);
}

static int socket_insert(const struct bpf_map *map, uint32_t slot, int fd)
{
	uint64_t value = (uint64_t)fd;

	return bpf_map_update_elem(bpf_map__fd(map), &slot, &value, BPF_ANY) ? -errno : 0;
}

int sockmap_insert(struct sockmap_worker *worker, int source, int target,
		   const struct hawser_flow *initial, void *owner, struct hawser_flow **flow)
{
	const struct sockmap_bpf *skeleton = worker->sockmap->skeleton;
	uint64_t cookie;
	socklen_t len = sizeof(cookie);
	uint32_t slot;
	int err;

	if (worker->free_count == 0)
		return -ENOSPC;
	if (getsockopt(source, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		return -errno;
	slot = worker->free_slots[worker->free_count - 1];
	/* Low slots come first. */
	err = map_view_reach(&worker->view, (slot - worker->first + 1) * sizeof(**flow));
	if (err)
		return err;
	*flow = worker_flow(worker, slot);
	**flow = *initial;
	(*flow)->cookie = cookie;
	(*flow)->worker = worker->index;
	(*flow)->low_water = worker->sockmap->budget / 2;
	(*flow)->word = worker->sockmap->budget;
	(*flow)->granted = worker->sockmap->budget;
	err = socket_insert(skeleton->maps.targets, slot, target);
	if (err)
		goto clear;
	if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.slots), &cookie, &slot, BPF_ANY)) {
		err = refusal_of_hash();
		goto out;
	}
	/* Last: from here on the program sees what the source receives. */
	err = socket_insert(skeleton->maps.sources, slot, source);
	if (err)
		goto uncookie;
	worker->free_count--;
	worker->owners[slot - worker->first] = owner;
	return (int)slot;
uncookie:
	bpf_map_delete_elem(bpf_map__fd(skeleton->maps.slots), &cookie);
out:
	bpf_map_delete_elem(bpf_map__fd(skeleton->maps.targets), &slot);
clear:
	**flow = (struct hawser_flow){0};
	return err;
}

void sockmap_remove(struct sockmap_worker *worker, int slot, int source)
{
	const struct sockmap_bpf *skeleton = worker->sockmap->skeleton;
	struct hawser_flow *flow = worker_flow(worker, (uint32_t)slot);
	uint32_t key = (uint32_t)slot;
	uint64_t cookie = flow->cookie;
	int one = 1;

	/* Out of the maps of sockets they go by close(), which waits for what the kernel is just
	 * about to send to the target; a deletion does not. */
	bpf_map_delete_elem(bpf_map__fd(skeleton->maps.slots), &cookie);
	/* A verdict that has read the slot runs under the source's lock. Take that lock once, or it
	 * might redirect to the next session that gets the slot. Setting the default does it. */
	setsockopt(source, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	*flow = (struct hawser_flow){0};
	worker->owners[key - worker->first] = NULL;
	worker->free_slots[worker->free_count++] = key;
}

const struct feature_state *sockmap_feature(const struct sockmap *sockmap,
					    enum sockmap_feature feature)
{
	return &sockmap->features[feature];
}
