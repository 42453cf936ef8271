/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Forwards the packets of two spliced TCP connections while their sockets rest: what one peer sends
 * goes to the other with addresses, ports, numbers, time stamps and windows of that connection.
 * UAPI only: loads on kernels without BTF. What is not ours goes its way untouched. */
#include "packets_forward.h"
#include "packets_icmp.h"

#define NEXT_PROGRAM (-1) /* TC_ACT_UNSPEC, TCX_NEXT */

/* Whether nobody owes anybody a byte or an acknowledgement but for this packet, so that it and all
 * that follow can go to the other end. */
static __always_inline bool is_quiet(const struct __sk_buff *skb, const struct found *found,
				     const struct packet *packet)
{
	const struct hawser_packets_leg *from = found->from;
	const struct hawser_packets_leg *to = found->to;

	/* With bytes: the answer to a keepalive is no reason. */
	return packet->payload &&
	       (packet->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK &&
	       packet->seq == from->copied && from->end == from->copied &&
	       packet->ack == from->written && to->own_acked == to->written &&
	       to->end == to->copied && skb->ifindex == from->ifindex && from->seen && to->seen &&
	       from->stamps == packet->has_stamp &&
	       !(packet->has_stamp && before(packet->stamp, from->stamp)) && !found->pair->resets &&
	       bpf_ktime_get_ns() - found->pair->armed_ns < HAWSER_PACKETS_ARMED_MAX_NS;
}

/* From now on the program forwards, unless another CPU has just had a packet of the pair. */
static __always_inline bool take(const struct found *found, const struct packet *packet, __u64 word)
{
	struct hawser_packets_pair *pair = found->pair;

	found->from->edge = found->from->copied + found->to->window;
	found->to->edge = found->to->copied + window_of(found, packet);
	if (__sync_val_compare_and_swap(&pair->word, word,
					((word & ~HAWSER_PACKETS_STATE) + HAWSER_PACKETS_ONE) |
						HAWSER_PACKETS_TAKEN) != word)
		return false;
	pair->takes++;
	tell(pair, found->slot, found->leg, HAWSER_PACKETS_EVENT_TAKEN, packet->seq);
	return true;
}

/* What passed to the socket, as far as it can be told without the socket. */
static __always_inline void learn(struct __sk_buff *skb, const struct found *found,
				  const struct packet *packet)
{
	struct hawser_packets_leg *from = found->from;
	const __u32 end = end_of(packet);

	/* The socket may be gone, whatever user space knows. */
	if (packet->flags & TCP_RST)
		found->pair->resets++;
	if (packet->flags & (TCP_SYN | TCP_RST))
		return;
	/* The next of its stream, which nobody guesses; of others the peer says it again. */
	if (!before(from->end, packet->seq) && !before(end, from->end)) {
		from->window = window_of(found, packet);
		if (packet->has_stamp && (!from->stamp || before(from->stamp, packet->stamp)))
			from->stamp = packet->stamp;
		from->seen = skb->ifindex == from->ifindex;
		if (!from->seen)
			from->astray++;
	}
	raise(&from->end, end);
	if (packet->flags & TCP_ACK)
		raise(&from->own_acked, packet->ack);
}

static __always_inline int handle(struct __sk_buff *skb, const struct found *found,
				  struct packet *packet)
{
	struct hawser_packets_pair *pair = found->pair;
	const __u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	const __u64 word = *(volatile __u64 *)&pair->word;
	const __u32 len = bounded(packet->header);
	__u32 state = state_of(word);
	__u32 stamp;

	if (!scratch || len < TCP_MIN || len > TCP_MAX ||
	    bpf_skb_load_bytes(skb, packet->transport, scratch->old, len))
		return NEXT_PROGRAM;
	__builtin_memcpy(scratch->new, scratch->old, sizeof(scratch->new));
	stamp = find_stamp(scratch, len);
	if (stamp && stamp <= TCP_MAX - 8) {
		packet->has_stamp = true;
		packet->stamp = load32(scratch->old + bounded(stamp));
	}
	if (state == HAWSER_PACKETS_ARMED && is_quiet(skb, found, packet) &&
	    take(found, packet, word))
		state = HAWSER_PACKETS_TAKEN;
	if (state == HAWSER_PACKETS_LEARN || state == HAWSER_PACKETS_ARMED) {
		/* First what is noted, then the count: who takes the pair compares that. */
		learn(skb, found, packet);
		state = state_of(__sync_fetch_and_add(&pair->word, HAWSER_PACKETS_ONE));
	}
	if (state == HAWSER_PACKETS_CLOSED && packet->flags & TCP_SYN) {
		/* A new connection with the same ports, and the old one is over. */
		__sync_val_compare_and_swap(&pair->word, word, word & ~HAWSER_PACKETS_STATE);
		return NEXT_PROGRAM;
	}
	/* There is nothing new after both ends, nor after a reset that was right. Who is there all
	 * the same is told by the host. */
	if (state == HAWSER_PACKETS_CLOSED && before(found->from->end, end_of(packet)))
		return NEXT_PROGRAM;
	if (is_forwarded(state))
		return forward(skb, found, packet, scratch, stamp, state);
	if (state == HAWSER_PACKETS_FROZEN) {
		/* It comes again; but what it says of the other's bytes may be said only once. */
		if ((packet->flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK &&
		    !is_beyond(found, packet))
			note_ack(found, packet);
		pair->dropped++;
		return DROP;
	}
	return NEXT_PROGRAM;
}

/* A packet that may be of a pair, but is not for the program. */
static __always_inline void refuse_unusual(struct __sk_buff *skb, struct packet *packet)
{
	struct found found = {};
	__be16 ports[2];

	if (bpf_skb_load_bytes(skb, packet->transport, ports, sizeof(ports)))
		return;
	packet->key.source_port = ports[0];
	packet->key.destination_port = ports[1];
	if (!look_up(&packet->key, &found) ||
	    state_of(*(volatile __u64 *)&found.pair->word) != HAWSER_PACKETS_TAKEN)
		return;
	if (found.pair->unusual++ < 2)
		tell(found.pair, found.slot, found.leg, HAWSER_PACKETS_EVENT_UNUSUAL, 0);
}

/* Whether the first len bytes are where they can be read. Some drivers leave headers in fragments;
 * to ask for a byte more than those of a packet that is not ours has it copied. */
static __always_inline bool has_linear(struct __sk_buff *skb, __u32 len)
{
	return skb->data_end - skb->data >= len ||
	       (skb->len >= len && !bpf_skb_pull_data(skb, len));
}

static __always_inline bool bucket_is_used(__u32 ports, __u32 addresses)
{
	const __u32 bucket = hawser_packets_bucket(ports, addresses);

	return *(volatile __u64 *)&buckets[bucket / 64] >> bucket % 64 & 1;
}

/* Whether it is worth a closer look. All packets pay for this. */
static __always_inline bool may_be_ours(struct __sk_buff *skb, const __u32 network)
{
	__u32 addresses = 0;
	__u32 protocol;
	const __u32 *ports;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		const struct iphdr *ip;

		if (!has_linear(skb, network + sizeof(*ip) + sizeof(*ports)))
			return false;
		ip = (void *)(long)skb->data + network;
		ports = (const void *)(ip + 1);
		if ((const void *)(ports + 1) > (void *)(long)skb->data_end)
			return false;
		/* Where the ports are behind options. */
		if (ip->ihl != 5)
			return true;
		protocol = ip->protocol;
		addresses = ip->saddr ^ ip->daddr;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip;
		const __u32 *words;

		if (!has_linear(skb, network + sizeof(*ip) + sizeof(*ports)))
			return false;
		ip = (void *)(long)skb->data + network;
		ports = (const void *)(ip + 1);
		if ((const void *)(ports + 1) > (void *)(long)skb->data_end)
			return false;
		protocol = ip->nexthdr;
		words = (const __u32 *)&ip->saddr;
		for (int i = 0; i < 8; i++)
			addresses ^= words[i];
	} else {
		return false;
	}
	if (protocol != IPPROTO_TCP)
		return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ||
		       is_extension(protocol);
	return bucket_is_used(*ports, addresses);
}

/* Once for both programs: the verifier sees the number of each of them. */
static __attribute__((noinline)) int look_closer(struct __sk_buff *skb, const __u32 network)
{
	struct packet packet = {};
	struct found found = {};
	const struct tcp_start *tcp;
	bool unusual = false;

	if (!parse_ip(skb, network, &packet, &unusual)) {
		if (packet.protocol == IPPROTO_ICMP || packet.protocol == IPPROTO_ICMPV6)
			heed_icmp(skb, network);
		return NEXT_PROGRAM;
	}
	if (unusual) {
		refuse_unusual(skb, &packet);
		return NEXT_PROGRAM;
	}
	if (!has_linear(skb, packet.transport + TCP_MIN))
		return NEXT_PROGRAM;
	if (packet.key.family == HAWSER_PACKETS_IPV4)
		tcp = (void *)(long)skb->data + network + sizeof(struct iphdr);
	else
		tcp = (void *)(long)skb->data + network + sizeof(struct ipv6hdr);
	if ((const void *)(tcp + 1) > (void *)(long)skb->data_end)
		return NEXT_PROGRAM;
	packet.key.source_port = tcp->source_port;
	packet.key.destination_port = tcp->destination_port;
	packet.segments = skb->gso_segs ? skb->gso_segs : 1;
	if (!parse_tcp(skb, &packet, tcp) || !look_up(&packet.key, &found))
		return NEXT_PROGRAM;
	return handle(skb, &found, &packet);
}

static __always_inline int run(struct __sk_buff *skb, const __u32 network)
{
	if (!may_be_ours(skb, network) || skb->vlan_present)
		return NEXT_PROGRAM;
	return look_closer(skb, network);
}

SEC("tc")
int hawser_packets(struct __sk_buff *skb)
{
	return run(skb, ETH_HLEN);
}

/* For devices whose packets begin with IP's header: ppp, tun, WireGuard. */
SEC("tc")
int hawser_packets3(struct __sk_buff *skb)
{
	return run(skb, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
