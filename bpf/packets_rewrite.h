/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Makes a packet of one connection of the pair one of the other. */
#ifndef HAWSER_BPF_PACKETS_REWRITE_H
#define HAWSER_BPF_PACKETS_REWRITE_H

#include "packets_parse.h"

#define TTL	     64 /* as of our own packets */
#define TCP_CHECKSUM 16 /* its offset */

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* Bytes that the packet says there is room for. */
static __always_inline __u32 window_of(const struct found *found, const struct packet *packet)
{
	return packet->window << (found->from->peer_scale & 15);
}

/* Whether the pair is to come back. Nobody fetches it whose owner was killed. */
static __always_inline bool is_held(const struct found *found, __u64 now)
{
	const __u32 zero = 0;
	const __u64 *owner;

	if (!found->from->held)
		return false;
	owner = bpf_map_lookup_elem(&packet_owner, &zero);
	return owner && (__s64)(now - *owner) < (__s64)HAWSER_PACKETS_ALIVE_NS;
}

/* The window in the units that the other peer was told. held: that peer is to send nothing new, so
 * that there will be a moment when nothing is on its way. */
static __always_inline __u16 scale_window(const struct found *found, const struct packet *packet,
					  bool held)
{
	__u32 window = window_of(found, packet);
	const __u32 sent = found->to->end - (packet->ack - found->to->seq_delta);

	if (held && window > sent)
		window = sent;
	window >>= found->to->own_scale & 15;
	return window > 0xffff ? 0xffff : (__u16)window;
}

/* What of its own clock the peer is told back: none of what was before the program's time. */
static __always_inline __u32 echo(const struct found *found, __u32 stamp)
{
	const __u32 floor = found->to->stamp_floor;

	stamp -= found->to->stamp_delta;
	if (before(stamp, floor))
		return floor;
	/* So that it is not half a round of numbers away one day. */
	if (stamp - floor > HAWSER_PACKETS_WINDOW_MAX)
		found->to->stamp_floor = stamp - HAWSER_PACKETS_WINDOW_MAX / 2;
	return stamp;
}

/* Makes the new header of the old one. stamp: where its time stamps are. */
static __always_inline void translate(const struct found *found, const struct packet *packet,
				      struct scratch *scratch, __u32 stamp, bool held)
{
	struct tcp_start *tcp = (struct tcp_start *)scratch->new;

	tcp->source_port = found->to->own_port;
	tcp->destination_port = found->to->peer_port;
	tcp->seq = bpf_htonl(packet->seq + found->from->seq_delta);
	if (packet->flags & TCP_ACK)
		tcp->ack = bpf_htonl(packet->ack - found->to->seq_delta);
	tcp->window = bpf_htons(scale_window(found, packet, held));
	if (stamp && stamp <= TCP_MAX - 8) {
		__u8 *at = scratch->new + bounded(stamp);

		store32(at, load32(at) + found->from->stamp_delta);
		store32(at + 4, echo(found, load32(at + 4)));
	}
	/* The common header has no more options. */
	if (packet->header > TCP_MIN && !(packet->header == TCP_MIN + 12 && stamp == TCP_MIN + 4))
		shift_sack(scratch, packet->header, found->to->seq_delta);
}

/* Puts IP's addresses in place. Their difference for TCP's checksum. */
static __always_inline bool readdress(struct __sk_buff *skb, const struct found *found,
				      const struct packet *packet, __s64 *difference)
{
	/* A constant either way, for the verifier. */
	void *network = (void *)(long)skb->data + (packet->network ? ETH_HLEN : 0);
	const void *end = (void *)(long)skb->data_end;

	if (packet->key.family == HAWSER_PACKETS_IPV4) {
		struct iphdr *ip = network;
		__u32 old[3];
		__u32 new[3];
		__s64 all;

		if ((const void *)(ip + 1) > end)
			return false;
		old[0] = ip->saddr;
		old[1] = ip->daddr;
		new[0] = found->to->own[0];
		new[1] = found->to->peer[0];
		*difference = bpf_csum_diff(old, 8, new, 8, 0);
		old[2] = bpf_htonl((__u32)ip->ttl << 24);
		new[2] = bpf_htonl((__u32)TTL << 24);
		all = bpf_csum_diff(old, 12, new, 12, (__u16)~ip->check);
		ip->saddr = new[0];
		ip->daddr = new[1];
		ip->ttl = TTL;
		ip->check = (__u16)~fold((__u32)all);
		return true;
	} else {
		struct ipv6hdr *ip = network;
		__u32 new[8];

		if ((const void *)(ip + 1) > end)
			return false;
		copy_address(new, found->to->own);
		copy_address(new + 4, found->to->peer);
		*difference = bpf_csum_diff((__be32 *)&packet->key.source, 32, new, 32, 0);
		__builtin_memcpy(&ip->saddr, new, 16);
		__builtin_memcpy(&ip->daddr, new + 4, 16);
		ip->hop_limit = TTL;
		return true;
	}
}

static __always_inline bool rewrite(struct __sk_buff *skb, const struct found *found,
				    const struct packet *packet, struct scratch *scratch, __u32 len)
{
	const __u32 checksum = packet->transport + TCP_CHECKSUM;
	__s64 header;
	__s64 addresses;

	if (!readdress(skb, found, packet, &addresses))
		return false;
	/* 6.1's verifier has forgotten by here. */
	len = bounded(len);
	if (len < TCP_MIN)
		return false;
	header = bpf_csum_diff((__be32 *)scratch->old, len, (__be32 *)scratch->new, len, 0);
	if (bpf_skb_store_bytes(skb, packet->transport, scratch->new, len, 0) ||
	    bpf_l4_csum_replace(skb, checksum, 0, (__u32)header, 0) ||
	    bpf_l4_csum_replace(skb, checksum, 0, (__u32)addresses, BPF_F_PSEUDO_HDR))
		return false;
	/* What the card summed up is all from IP's header on. There IPv4's header sums up to what
	 * it did before; IPv6's does not, and the kernel took the one for the other just now. */
	if (packet->key.family == HAWSER_PACKETS_IPV6)
		(void)bpf_csum_update(skb, (__u32)addresses);
	return true;
}

#endif
