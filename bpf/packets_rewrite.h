/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Makes a packet of one connection of the pair one of the other. */
#ifndef HAWSER_BPF_PACKETS_REWRITE_H
#define HAWSER_BPF_PACKETS_REWRITE_H

#include <stddef.h>

#include "packets_parse.h"

#define TTL	     64 /* as of our own packets */
#define TCP_CHECKSUM 16 /* its offset */

/* What of IP's headers changes. */
struct ipv4_end {
	__u8 ttl;
	__u8 protocol;
	__u16 checksum;
	__u32 source;
	__u32 destination;
};

struct ipv6_end {
	__u16 payload_len;
	__u8 next;
	__u8 ttl;
	__u32 addresses[8];
};

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

/* Puts IP's addresses in place. Their difference for TCP's checksum. By a helper: a program that
 * writes by itself gets what is before it from the kernel, for which all packets pay, as it makes
 * those that others see, too, writable, and drops them when it cannot. */
static __always_inline bool readdress(struct __sk_buff *skb, const struct found *found,
				      const struct packet *packet, __s64 *difference)
{
	/* A constant either way, for the verifier. */
	const void *network = (void *)(long)skb->data + (packet->network ? ETH_HLEN : 0);
	const void *end = (void *)(long)skb->data_end;

	if (packet->key.family == HAWSER_PACKETS_IPV4) {
		const struct iphdr *ip = network;
		struct ipv4_end old;
		struct ipv4_end new;
		__s64 all;

		if ((const void *)(ip + 1) > end)
			return false;
		__builtin_memcpy(&old, network + offsetof(struct iphdr, ttl), sizeof(old));
		new = old;
		new.ttl = TTL;
		new.source = found->to->own[0];
		new.destination = found->to->peer[0];
		*difference = bpf_csum_diff(&old.source, 8, &new.source, 8, 0);
		all = bpf_csum_diff((__be32 *)&old, sizeof(old), (__be32 *)&new, sizeof(new),
				    (__u16)~old.checksum);
		new.checksum = (__u16)~fold((__u32)all);
		return !bpf_skb_store_bytes(skb, packet->network + offsetof(struct iphdr, ttl),
					    &new, sizeof(new), 0);
	} else {
		const struct ipv6hdr *ip = network;
		struct ipv6_end new;

		if ((const void *)(ip + 1) > end)
			return false;
		new.payload_len = ip->payload_len;
		new.next = ip->nexthdr;
		new.ttl = TTL;
		copy_address(new.addresses, found->to->own);
		copy_address(new.addresses + 4, found->to->peer);
		*difference =
			bpf_csum_diff((__be32 *)&packet->key.source, 32, new.addresses, 32, 0);
		return !bpf_skb_store_bytes(skb,
					    packet->network + offsetof(struct ipv6hdr, payload_len),
					    &new, sizeof(new), 0);
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
