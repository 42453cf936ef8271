/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Heeds routers that say that a forwarded packet was too big for the way to its receiver. */
#ifndef HAWSER_BPF_PACKETS_ICMP_H
#define HAWSER_BPF_PACKETS_ICMP_H

#include "packets_parse.h"

#define ICMP_UNREACHABLE 3
#define ICMP_TOO_BIG	 4 /* its code */
#define ICMP6_TOO_BIG	 2
#define MTU_MIN_IPV4	 552U /* as net.ipv4.route.min_pmtu */
#define MTU_MIN_IPV6	 1280U

struct icmp_start {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 mtu; /* IPv4: the lower half */
};

/* The quoted part of what we sent to a peer, and that a router found too big. */
static __always_inline void lower_mtu(struct __sk_buff *skb, __u32 at, __u32 mtu, __u32 family)
{
	struct hawser_packets_key key = {.family = family};
	struct found found = {};
	__u32 transport = at;
	__u32 least = MTU_MIN_IPV4;
	__be16 ports[2];
	__be32 seq;

	/* It went from us to the peer, whose own packets come the other way. */
	if (family == HAWSER_PACKETS_IPV4) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || ip.protocol != IPPROTO_TCP ||
		    ip.ihl != 5)
			return;
		key.source[0] = ip.daddr;
		key.destination[0] = ip.saddr;
		transport += sizeof(ip);
	} else {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || ip.nexthdr != IPPROTO_TCP)
			return;
		copy_address(key.source, &ip.daddr);
		copy_address(key.destination, &ip.saddr);
		transport += sizeof(ip);
		least = MTU_MIN_IPV6;
	}
	if (bpf_skb_load_bytes(skb, transport, ports, sizeof(ports)) ||
	    bpf_skb_load_bytes(skb, transport + 4, &seq, sizeof(seq)))
		return;
	key.source_port = ports[1];
	key.destination_port = ports[0];
	if (!look_up(&key, &found) ||
	    state_of(*(volatile __u64 *)&found.pair->word) != HAWSER_PACKETS_TAKEN)
		return;
	/* Of bytes that are on their way, or it is not from who it says (RFC 5927). */
	seq = bpf_ntohl(seq) - found.to->seq_delta;
	if (before(seq, acked_of(found.to)) || !before(seq, found.to->end))
		return;
	if (mtu < least)
		mtu = least;
	if (mtu < found.from->mtu)
		found.from->mtu = mtu;
}

static __always_inline void heed_icmp(struct __sk_buff *skb, __u32 network)
{
	struct icmp_start icmp;
	__u8 first;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, network, &ip, sizeof(ip)) ||
		    ip.protocol != IPPROTO_ICMP || ip.ihl != 5)
			return;
		network += sizeof(ip);
		if (bpf_skb_load_bytes(skb, network, &icmp, sizeof(icmp)) ||
		    icmp.type != ICMP_UNREACHABLE || icmp.code != ICMP_TOO_BIG)
			return;
		lower_mtu(skb, network + sizeof(icmp), bpf_ntohl(icmp.mtu) & 0xffff,
			  HAWSER_PACKETS_IPV4);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, network + 6, &first, 1) || first != IPPROTO_ICMPV6)
			return;
		network += sizeof(struct ipv6hdr);
		if (bpf_skb_load_bytes(skb, network, &icmp, sizeof(icmp)) ||
		    icmp.type != ICMP6_TOO_BIG)
			return;
		lower_mtu(skb, network + sizeof(icmp), bpf_ntohl(icmp.mtu), HAWSER_PACKETS_IPV6);
	}
}

#endif
