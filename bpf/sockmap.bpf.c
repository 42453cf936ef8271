/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves what a parked source receives to its target while credit lasts, else to the source's own
 * receive queue. UAPI only: loads on kernels without BTF. Decides nothing about who is parked. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "../include/hawser_sockmap.h"
#include "event_rings.h"

/* A lost race is against user space, which changes a word a few times a second. */
#define TAKE_TRIES 8

/* User space sizes the maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hawser_flow);
} flows SEC(".maps");

/* Socket cookie of a source to its slot. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} slots SEC(".maps");

/* The program is attached to this one. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

static __always_inline void event_send(struct hawser_flow *flow, __u32 slot,
				       enum hawser_event_kind kind)
{
	struct hawser_event event = {.slot = slot, .kind = kind};
	__u32 worker = flow->worker;
	void *ring = bpf_map_lookup_elem(&events, &worker);

	flow->events++;
	if (!ring || bpf_ringbuf_output(ring, &event, sizeof(event), 0))
		flow->events_lost++;
}

/* Whether credit for len bytes could be taken. */
static __always_inline int credit_take(struct hawser_flow *flow, __u32 slot, __u32 len)
{
	__u64 word = *(volatile __u64 *)&flow->word;
	__u32 low_water = flow->low_water;

	for (int i = 0; i < TAKE_TRIES; i++) {
		__u64 credit = word & HAWSER_WORD_CREDIT;
		__u64 seen;

		if ((word & HAWSER_WORD_PASS) || credit < len)
			return 0;
		seen = __sync_val_compare_and_swap(&flow->word, word, word - len);
		if (seen == word) {
			if (credit >= low_water && credit - len < low_water)
				event_send(flow, slot, HAWSER_EVENT_LOW);
			return 1;
		}
		word = seen;
	}
	return 0;
}

/* A segment that was sent again may begin with bytes that were received before; recv() skips them,
 * the kernel's redirect does not. Here skb->cb is TCP's own, sequence number first. Whether the
 * rest is what comes next. */
static __always_inline int segment_trim(struct __sk_buff *skb, struct hawser_flow *flow)
{
	__u32 seq = skb->cb[0];
	__u32 len = skb->len;
	__u32 old = flow->next_seq - seq;

	flow->next_seq = seq + len;
	if (old == 0)
		return 1;
	/* As if negative: a gap, which TCP does not let happen. */
	if (old >= len)
		return 0;
	flow->trimmed += old;
	for (int i = 1; i < HAWSER_TRIM_STEPS && old > HAWSER_TRIM_STEP_BYTES; i++) {
		if (bpf_skb_adjust_room(skb, -(__s32)HAWSER_TRIM_STEP_BYTES, 0, 0))
			return 0;
		old -= HAWSER_TRIM_STEP_BYTES;
	}
	return old <= HAWSER_TRIM_STEP_BYTES && !bpf_skb_adjust_room(skb, -(__s32)old, 0, 0);
}

SEC("sk_skb")
int hawser_sockmap(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct hawser_flow *flow;
	__u32 len = skb->len;
	__u32 *found;
	__u32 slot;

	/* A FIN of its own; TCP has taken note of it already. Redirected, or passed while the
	 * source has a queue as the target of the opposite flow, the kernel would take the empty
	 * segment for an error and close that queue. */
	if (len == 0)
		return SK_DROP;
	found = bpf_map_lookup_elem(&slots, &cookie);
	if (!found)
		return SK_PASS;
	slot = *found;
	flow = bpf_map_lookup_elem(&flows, &slot);
	if (!flow)
		return SK_PASS;
	flow->segments++;
	if (flow->check_seq && !segment_trim(skb, flow)) {
		if (flow->broken++ == 0)
			event_send(flow, slot, HAWSER_EVENT_BROKEN);
	}
	len = skb->len;
	if (credit_take(flow, slot, len)) {
		flow->redirected += len;
		return bpf_sk_redirect_map(skb, &targets, slot, 0);
	}
	/* Count first: should user space clear pass just now, it must see that there is more. */
	__sync_fetch_and_add(&flow->word, (__u64)len << HAWSER_WORD_PASSED_BIT);
	flow->passed += len;
	if (!(__sync_fetch_and_or(&flow->word, HAWSER_WORD_PASS) & HAWSER_WORD_PASS)) {
		flow->mode = HAWSER_PASS;
		event_send(flow, slot, HAWSER_EVENT_PASSED);
	}
	return SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
