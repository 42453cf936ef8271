/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* A packet's addresses, lengths and TCP header. */
#ifndef HAWSER_BPF_PACKETS_PARSE_H
#define HAWSER_BPF_PACKETS_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>

#include "packets_maps.h"

#define IP_FRAGMENT 0x3fff /* an offset, or more to come */

#define EXTENSIONS_MAX	     4	    /* that are looked at */
#define IPV6_FRAGMENT_OFFSET 0xfff8 /* of the field in a fragment's header */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define TCP_MIN	     20
#define TCP_MAX	     60
#define OPTION_END   0
#define OPTION_NONE  1
#define OPTION_SACK  5
#define OPTION_STAMP 8
#define STAMP_BYTES  10
#define STAMP_FIRST  0x0101080aU /* as nearly all send it: two fillers, kind, length */
#define SACK_BLOCKS  4

struct tcp_start {
	__be16 source_port;
	__be16 destination_port;
	__be32 seq;
	__be32 ack;
	__u8 offset;
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

struct packet {
	struct hawser_packets_key key;
	__u32 protocol;	 /* of IP's header */
	__u32 network;	 /* offset of IP's header */
	__u32 transport; /* of TCP's */
	__u32 header;	 /* bytes of TCP's */
	__u32 total;	 /* bytes from IP's header on */
	__u32 payload;
	__u32 seq;
	__u32 ack;
	__u32 window;
	__u32 stamp;
	__u32 flags;
	__u32 segments; /* of which GRO has made it */
	bool has_stamp;
};

static __always_inline __u32 load32(const __u8 *at)
{
	return (__u32)at[0] << 24 | (__u32)at[1] << 16 | (__u32)at[2] << 8 | at[3];
}

/* After the packet's last byte; a FIN counts. */
static __always_inline __u32 end_of(const struct packet *packet)
{
	return packet->seq + packet->payload + (packet->flags & TCP_FIN ? 1 : 0);
}

/* The same number, where the verifier sees its bounds. */
static __always_inline __u32 bounded(__u32 at)
{
	asm volatile("" : "+r"(at));
	return at & 63;
}

static __always_inline void store32(__u8 *at, __u32 value)
{
	at[0] = (__u8)(value >> 24);
	at[1] = (__u8)(value >> 16);
	at[2] = (__u8)(value >> 8);
	at[3] = (__u8)value;
}

static __always_inline void copy_address(__u32 to[4], const void *from)
{
	__builtin_memcpy(to, from, 16);
}

static __always_inline bool is_extension(__u32 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_DSTOPTS;
}

/* Where TCP's header is behind others of IPv6, the first of them at that place; 0: nowhere. */
static __always_inline __u32 skip_extensions(struct __sk_buff *skb, __u32 at, __u32 protocol)
{
	struct {
		__u8 next;
		__u8 more; /* units of 8 bytes */
		__be16 offset;
	} header;

	for (int i = 0; i < EXTENSIONS_MAX && is_extension(protocol); i++) {
		if (bpf_skb_load_bytes(skb, at, &header, sizeof(header)) ||
		    (protocol == IPPROTO_FRAGMENT &&
		     (header.offset & bpf_htons(IPV6_FRAGMENT_OFFSET))))
			return 0;
		at += protocol == IPPROTO_FRAGMENT ? 8 : (header.more + 1U) * 8;
		protocol = header.next;
	}
	return protocol == IPPROTO_TCP ? at : 0;
}

/* The packet's addresses and lengths. unusual: it may be ours all the same, but is not for us. */
static __always_inline bool parse_ip(struct __sk_buff *skb, __u32 network, struct packet *packet,
				     bool *unusual)
{
	const void *data = (void *)(long)skb->data;
	const void *end = (void *)(long)skb->data_end;

	packet->network = network;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		const struct iphdr *ip = data + network;

		if ((const void *)(ip + 1) > end || ip->version != 4)
			return false;
		packet->protocol = ip->protocol;
		packet->key.family = HAWSER_PACKETS_IPV4;
		packet->key.source[0] = ip->saddr;
		packet->key.destination[0] = ip->daddr;
		packet->transport = network + ip->ihl * 4U;
		packet->total = bpf_ntohs(ip->tot_len);
		*unusual = ip->ihl != 5 || (ip->frag_off & bpf_htons(IP_FRAGMENT));
		return ip->protocol == IPPROTO_TCP && ip->ihl >= 5;
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip = data + network;

		if ((const void *)(ip + 1) > end || ip->version != 6)
			return false;
		packet->protocol = ip->nexthdr;
		packet->key.family = HAWSER_PACKETS_IPV6;
		copy_address(packet->key.source, &ip->saddr);
		copy_address(packet->key.destination, &ip->daddr);
		packet->transport = network + sizeof(*ip);
		packet->total = sizeof(*ip) + bpf_ntohs(ip->payload_len);
		*unusual = is_extension(ip->nexthdr);
		if (*unusual)
			packet->transport = skip_extensions(skb, packet->transport, ip->nexthdr);
		return *unusual ? packet->transport > 0 : ip->nexthdr == IPPROTO_TCP;
	}
	return false;
}

/* TCP's header, whose first bytes are in the linear part of the packet. */
static __always_inline bool parse_tcp(struct __sk_buff *skb, struct packet *packet,
				      const struct tcp_start *tcp)
{
	packet->header = (tcp->offset >> 4) * 4U;
	packet->seq = bpf_ntohl(tcp->seq);
	packet->ack = bpf_ntohl(tcp->ack);
	packet->window = bpf_ntohs(tcp->window);
	packet->flags = tcp->flags;
	/* Longer than the field can say, by offloads. */
	if (packet->total <= packet->transport - packet->network)
		packet->total = skb->len - packet->network;
	if (packet->header < TCP_MIN ||
	    packet->total < packet->transport - packet->network + packet->header ||
	    skb->len < packet->network + packet->total)
		return false;
	packet->payload = packet->total - (packet->transport - packet->network) - packet->header;
	return true;
}

/* The next option is at next. Its size, or 0: there are no more. The loops below go byte by byte,
 * so that the verifier knows where they are. */
static __always_inline __u32 option_size(const __u8 *option, __u32 at, __u32 len)
{
	if (option[0] == OPTION_NONE)
		return 1;
	if (option[0] == OPTION_END || at + 1 >= len || option[1] < 2 || at + option[1] > len)
		return 0;
	return option[1];
}

/* Where the time stamps' values are in the header; 0: there are none. The verifier looks at what is
 * not static by itself, and not anew for each way that leads there. */
__attribute__((noinline)) __u32 find_stamp(const struct scratch *scratch, __u32 len)
{
	const __u8 *header;
	__u32 next = TCP_MIN;

	if (!scratch)
		return 0;
	header = scratch->old;
	if (len >= TCP_MIN + 12 && load32(header + TCP_MIN) == STAMP_FIRST)
		return TCP_MIN + 4;
	for (__u32 at = TCP_MIN; at < TCP_MAX; at++) {
		__u32 size;

		if (at >= len)
			return 0;
		if (at != next)
			continue;
		size = option_size(header + at, at, len);
		if (size == 0)
			return 0;
		if (header[at] == OPTION_STAMP && size == STAMP_BYTES)
			return at + 2;
		next = at + size;
	}
	return 0;
}

/* The acknowledged blocks are of bytes that the other leg numbers by this much less. */
__attribute__((noinline)) int shift_sack(struct scratch *scratch, __u32 len, __u32 delta)
{
	__u8 *header;
	__u32 next = TCP_MIN;

	if (!scratch)
		return 0;
	header = scratch->new;
	for (__u32 at = TCP_MIN; at < TCP_MAX; at++) {
		__u32 size;

		if (at >= len)
			return 0;
		if (at != next)
			continue;
		size = option_size(header + at, at, len);
		if (size == 0)
			return 0;
		for (__u32 edge = 2; header[at] == OPTION_SACK && edge < 2 + 8 * SACK_BLOCKS;
		     edge += 4) {
			if (edge + 4 > size)
				break;
			store32(header + at + edge, load32(header + at + edge) - delta);
		}
		next = at + size;
	}
	return 0;
}

#endif
