/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What becomes of the packets of a pair that was taken: noted, judged, and sent to the other peer.
 */
#ifndef HAWSER_BPF_PACKETS_FORWARD_H
#define HAWSER_BPF_PACKETS_FORWARD_H

#include "packets_rewrite.h"

#define DROP		2 /* TC_ACT_SHOT */
#define TOO_BIG_EACH_NS 10000000ULL
#define HOP_NS		1000000000ULL
#define RESET_EACH_NS	100000000ULL
#define RESET_SPOKE_NS	1000000LL

/* Has user space look whether the way to the leg's peer is another now. It also looks by itself,
 * later, so each is told once. */
static __always_inline void tell_astray(const struct found *found, struct hawser_packets_leg *leg)
{
	if (leg->astray++ == 0)
		tell(found->pair, found->slot, found->leg, HAWSER_PACKETS_EVENT_ASTRAY, 0);
}

/* The next hop to a peer, by the device that packets to it go by. */
static __always_inline void find_hop(struct __sk_buff *skb, const struct found *found, __u32 family,
				     __u64 now)
{
	struct bpf_fib_lookup fib = {};
	struct hawser_packets_leg *to = found->to;
	struct hawser_packets_hop *hop = &to->hop;
	__u32 mtu = 0;
	long result;

	if (now < hop->until_ns)
		return;
	fib.family = (__u8)family;
	fib.l4_protocol = IPPROTO_TCP;
	fib.ifindex = to->ifindex;
	if (family == HAWSER_PACKETS_IPV4) {
		fib.ipv4_src = to->own[0];
		fib.ipv4_dst = to->peer[0];
	} else {
		copy_address(fib.ipv6_src, to->own);
		copy_address(fib.ipv6_dst, to->peer);
	}
	result = bpf_fib_lookup(skb, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT);
	hop->known = (result == BPF_FIB_LKUP_RET_SUCCESS || result == BPF_FIB_LKUP_RET_NO_NEIGH) &&
		     fib.ifindex == to->ifindex;
	hop->family = fib.family;
	copy_address(hop->address, fib.ipv6_dst);
	hop->until_ns = now + HOP_NS;
	/* Where nothing is routed it is FWD_DISABLED, which says nothing. */
	if (result == BPF_FIB_LKUP_RET_NOT_FWDED)
		tell_astray(found, to);
	/* Of the device, which may have been changed. */
	bpf_check_mtu(skb, to->ifindex, &mtu, 0, 0);
	if (mtu && mtu < to->mtu)
		to->mtu = mtu;
}

static __always_inline int send(struct __sk_buff *skb, struct hawser_packets_leg *to,
				const struct packet *packet)
{
	struct bpf_redir_neigh next = {};

	/* The redirect takes off an Ethernet header, be there one or not. */
	if (packet->network == 0 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return DROP;
	skb->mark = to->mark;
	if (!to->hop.known)
		return (int)bpf_redirect_neigh(to->ifindex, NULL, 0, 0);
	next.nh_family = to->hop.family;
	copy_address(next.ipv6_nh, to->hop.address);
	return (int)bpf_redirect_neigh(to->ifindex, &next, sizeof(next), 0);
}

/* Whether the packet, or each that it is cut into, fits the other leg. */
static __always_inline bool fits(struct __sk_buff *skb, const struct found *found,
				 const struct packet *packet)
{
	const __u32 headers = packet->total - packet->payload;
	__u32 size = packet->total;

	/* gso_segs is 0 where a guest has said how to cut. */
	if (skb->gso_size && skb->gso_size < packet->payload)
		size = headers + skb->gso_size;

	return size <= found->to->mtu;
}

static __always_inline int refuse_too_big(const struct found *found, const struct packet *packet,
					  __u64 now)
{
	found->from->too_big++;
	if (now - found->from->told_ns > TOO_BIG_EACH_NS) {
		found->from->told_ns = now;
		tell(found->pair, found->slot, found->leg, HAWSER_PACKETS_EVENT_TOO_BIG,
		     packet->seq);
	}
	return DROP;
}

/* Whether its receiver cannot have asked for it. */
static __always_inline bool is_beyond(const struct found *found, const struct packet *packet)
{
	return (__s32)(packet->seq - found->from->edge) > (__s32)HAWSER_PACKETS_SLACK;
}

/* What the peer has received of the other. Whether that can be. */
static __always_inline bool note_ack(const struct found *found, const struct packet *packet)
{
	struct hawser_packets_leg *to = found->to;
	const __u32 ack = packet->ack - to->seq_delta;

	/* Nobody acknowledges what was never sent. */
	return !before(*(volatile __u32 *)&to->end, ack) && raise_long(&to->acked, ack) >= 0;
}

/* Takes note of what a packet that is to be forwarded says; before it goes, as user space relies on
 * no peer having been told more. Whether it may go. */
static __always_inline bool note(const struct found *found, const struct packet *packet, __u64 now,
				 __u32 state)
{
	struct hawser_packets_leg *from = found->from;
	struct hawser_packets_leg *to = found->to;
	const __u32 end = end_of(packet);
	const __u32 acked = acked_of(from);
	__u32 edge;
	__s64 more;

	/* Judged first: what does not go has said nothing. */
	if (is_beyond(found, packet) || !(packet->flags & TCP_ACK) || !note_ack(found, packet))
		return false;
	if (packet->flags & TCP_FIN && !from->has_fin && before(acked, end)) {
		from->fin = end;
		from->has_fin = 1;
		tell(found->pair, found->slot, found->leg, HAWSER_PACKETS_EVENT_FIN, packet->seq);
	}
	more = raise(&from->end, end);
	if (more < 0)
		return false;
	if (more == 0 && packet->payload)
		from->again += packet->segments;
	from->packets += packet->segments;
	/* What comes after the end does not keep the pair. */
	if (state == HAWSER_PACKETS_TAKEN)
		from->last_ns = now;
	/* Its receiver takes no more word from what it has had. */
	if (before(end, acked))
		return true;
	from->window = window_of(found, packet);
	edge = packet->ack - to->seq_delta + from->window;
	if (before(to->edge, edge))
		to->edge = edge;
	if (packet->has_stamp && before(from->stamp, packet->stamp))
		from->stamp = packet->stamp;
	return true;
}

static __always_inline bool is_done(const struct hawser_packets_leg *leg)
{
	return leg->has_fin && !before(acked_of(leg), leg->fin);
}

static __always_inline void close_if_done(const struct found *found, __u64 word)
{
	if (state_of(word) != HAWSER_PACKETS_CLOSED && is_done(found->from) && is_done(found->to) &&
	    __sync_val_compare_and_swap(&found->pair->word, word,
					(word & ~HAWSER_PACKETS_STATE) | HAWSER_PACKETS_CLOSED) ==
		    word)
		tell(found->pair, found->slot, found->leg, HAWSER_PACKETS_EVENT_CLOSED, 0);
}

/* Whether the receiver takes a reset for right, which is of the byte that it expects (RFC 5961
 * section 3.2): that which it has asked for, or, when it has acknowledged less than it has, the
 * last. To one that it has room for it answers, if it is not that; to others it does not. */
static __always_inline void judge_reset(const struct found *found, const struct packet *packet,
					__u64 now)
{
	const struct hawser_packets_leg *from = found->from;
	struct hawser_packets_pair *pair = found->pair;
	__s64 each_ns = RESET_EACH_NS;

	if (packet->seq != acked_of(from) &&
	    (packet->seq != from->end || before(from->edge, from->end)))
		return;
	pair->resets++;
	/* The first after somebody spoke is about that; now may be before another processor's. */
	if (from->last_ns >= pair->reset_ns || found->to->last_ns >= pair->reset_ns)
		each_ns = RESET_SPOKE_NS;
	if ((__s64)(now - pair->reset_ns) > each_ns)
		tell(pair, found->slot, found->leg, HAWSER_PACKETS_EVENT_RESET, packet->seq);
	pair->reset_ns = now;
}

/* The peer may have forgotten the connection and begins another with the same ports; or the packet
 * is not from it. The other end is to say where the streams are, by an acknowledgement of what it
 * has had already: the peer answers that with a reset then (RFC 9293 section 3.5.1). What the SYN
 * says is not for the other, which may have forgotten the connection too, and listen for new ones.
 */
static __always_inline bool ask_instead(const struct found *found, struct packet *packet,
					struct scratch *scratch, __u32 stamp)
{
	const struct hawser_packets_leg *from = found->from;
	struct tcp_start *tcp = (struct tcp_start *)scratch->new;

	if (packet->flags & (TCP_ACK | TCP_RST | TCP_FIN) || packet->payload)
		return false;
	packet->flags = TCP_ACK;
	packet->seq = acked_of(from) - 1;
	packet->ack = acked_of(found->to) + found->to->seq_delta;
	packet->window = from->window >> (from->peer_scale & 15);
	tcp->flags = TCP_ACK;
	for (__u32 at = TCP_MIN; at < TCP_MAX; at++)
		scratch->new[at] = OPTION_NONE;
	if (stamp && stamp <= TCP_MAX - 8) {
		scratch->new[bounded(stamp - 2)] = OPTION_STAMP;
		scratch->new[bounded(stamp - 1)] = STAMP_BYTES;
		store32(scratch->new + bounded(stamp), from->stamp);
		store32(scratch->new + bounded(stamp + 4),
			found->to->stamp + found->to->stamp_delta);
	}
	return true;
}

static __always_inline int forward(struct __sk_buff *skb, const struct found *found,
				   struct packet *packet, struct scratch *scratch, __u32 stamp,
				   __u32 state)
{
	struct hawser_packets_pair *pair = found->pair;
	const __u64 now = bpf_ktime_get_ns();
	const __u32 len = packet->header;
	__u64 word;

	if (packet->flags & TCP_SYN) {
		if (!ask_instead(found, packet, scratch, stamp))
			goto drop;
	} else if (packet->flags & TCP_RST) {
		judge_reset(found, packet, now);
	} else if (!note(found, packet, now, state)) {
		goto drop;
	} else if (skb->ifindex != found->from->ifindex) {
		tell_astray(found, found->from);
	}
	/* User space freezes the pair, then reads what was noted: either it reads this packet's, or
	 * this packet does not go. */
	word = __sync_fetch_and_add(&pair->word, 0);
	if (!is_forwarded(state_of(word)))
		goto drop;
	close_if_done(found, word);
	find_hop(skb, found, packet->key.family, now);
	if (!fits(skb, found, packet))
		return refuse_too_big(found, packet, now);
	translate(found, packet, scratch, stamp, is_held(found, now));
	/* Frames have a least size; IP says where its packet ends. */
	if (skb->len > packet->network + packet->total &&
	    bpf_skb_change_tail(skb, packet->network + packet->total, 0))
		goto drop;
	if (len < TCP_MIN || len > TCP_MAX || !rewrite(skb, found, packet, scratch, len))
		goto drop;
	return send(skb, found->to, packet);
drop:
	pair->dropped++;
	return DROP;
}

#endif
