/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the program and user space share, and how a packet finds its pair. */
#ifndef HAWSER_BPF_PACKETS_MAPS_H
#define HAWSER_BPF_PACKETS_MAPS_H

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "../include/hawser_packets.h"
#include "event_rings.h"

/* A lost race is against another CPU that has a packet of the same pair. */
#define TRIES 8

struct { /* user space sizes the maps */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hawser_packets_pair);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct hawser_packets_key);
	__type(value, struct hawser_packets_value);
} keys SEC(".maps");

/* TCP's header before and after; where its options are varies, so it does not lie on the stack. */
struct scratch {
	__u8 old[64];
	__u8 new[64];
	__u8 beyond[64]; /* never reached, but the verifier does not see that */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Set by user space, one for all keys with that hash. */
__u64 buckets[HAWSER_PACKETS_BUCKETS / 64] = {};

/* When the owner last said that it lives; read by its successor, too. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packet_owner SEC(".maps");

struct found {
	struct hawser_packets_pair *pair;
	struct hawser_packets_leg *from;
	struct hawser_packets_leg *to;
	__u32 slot;
	__u32 leg;
};

static __always_inline bool before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline __u32 state_of(__u64 word)
{
	return (__u32)(word & HAWSER_PACKETS_STATE);
}

static __always_inline bool is_forwarded(__u32 state)
{
	return state == HAWSER_PACKETS_TAKEN || state == HAWSER_PACKETS_CLOSED;
}

static __always_inline void tell(struct hawser_packets_pair *pair, __u32 slot, __u32 leg,
				 enum hawser_packets_event_kind kind, __u32 seq)
{
	struct hawser_packets_event event = {.slot = slot, .kind = kind, .leg = leg, .seq = seq};
	__u32 worker = pair->worker;
	void *ring = bpf_map_lookup_elem(&events, &worker);

	if (!ring || bpf_ringbuf_output(ring, &event, sizeof(event), 0))
		pair->events_lost++;
}

/* Sees to it that *value is at least that, as sequence numbers go. By how much it grew, or -1 after
 * too many lost races. */
static __always_inline __s64 raise(__u32 *value, __u32 at_least)
{
	for (int i = 0; i < TRIES; i++) {
		const __u32 seen = *(volatile __u32 *)value;

		if (!before(seen, at_least))
			return 0;
		if (__sync_val_compare_and_swap(value, seen, at_least) == seen)
			return (__s64)(__u32)(at_least - seen);
	}
	return -1;
}

/* The same for the lower half of *value; the upper one counts its rounds. */
static __always_inline __s64 raise_long(__u64 *value, __u32 at_least)
{
	for (int i = 0; i < TRIES; i++) {
		const __u64 seen = *(volatile __u64 *)value;
		const __u32 more = at_least - (__u32)seen;

		if ((__s32)more <= 0)
			return 0;
		if (__sync_val_compare_and_swap(value, seen, seen + more) == seen)
			return more;
	}
	return -1;
}

static __always_inline __u32 acked_of(const struct hawser_packets_leg *leg)
{
	return (__u32) * (volatile const __u64 *)&leg->acked;
}

static __always_inline bool look_up(const struct hawser_packets_key *key, struct found *found)
{
	const struct hawser_packets_value *value = bpf_map_lookup_elem(&keys, key);

	if (!value)
		return false;
	found->slot = value->slot;
	found->leg = value->leg & 1;
	found->pair = bpf_map_lookup_elem(&pairs, &found->slot);
	if (!found->pair || found->pair->generation != value->generation)
		return false;
	found->from = found->leg ? &found->pair->legs[1] : &found->pair->legs[0];
	found->to = found->leg ? &found->pair->legs[0] : &found->pair->legs[1];
	return true;
}

#endif
