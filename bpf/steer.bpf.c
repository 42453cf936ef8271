/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Sends the first packets of a LAN's connections to hawserd's transparent listener, and has later
 * ones delivered here if they belong to a socket. UAPI only: loads on kernels without BTF. Never
 * drops: what is not ours goes to the next program, and on its way. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../include/hawser_steer.h"

#define NEXT_PROGRAM (-1) /* TC_ACT_UNSPEC, TCX_NEXT */

#define AF_INET	 2
#define AF_INET6 10

#define FRAGMENT_OFFSET 0x1fff
#define FRAGMENT_MORE	0x2000
#define FRAGMENT_MAX_NS 30000000000ULL /* as long as the kernel waits for the rest */
#define EXTENSIONS_MAX	6	       /* headers before TCP's */
#define SOURCE_MAC	6	       /* its offset */

#define TCP_FLAGS_JUDGED 0x17 /* ACK, RST, SYN, FIN */
#define TCP_FLAGS_FIRST	 0x02 /* SYN */

const volatile struct hawser_steer_settings settings = {};

/* When hawserd last said that it lives, by CLOCK_MONOTONIC. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} beat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HAWSER_STEER_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct hawser_steer_lan);
} lan SEC(".maps");

/* What is left alone. User space sizes these. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct hawser_steer_prefix);
	__type(value, __u32);
} destinations SEC(".maps"), sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HAWSER_STEER_PORT_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} ports SEC(".maps");

/* The six bytes first, then two of 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} macs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HAWSER_STEER_AUTO_BYPASS_MAX);
	__type(key, struct hawser_steer_destination);
	__type(value, __u64);
} auto_bypass SEC(".maps");

/* Datagrams whose first fragment was ours: the others have no ports to be known by. */
struct fragment {
	__u32 family;
	__u32 id;
	__u32 source[4];
	__u32 destination[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct fragment);
	__type(value, __u64);
} fragments SEC(".maps");

struct packet {
	__u32 family;
	__u32 source[4];
	__u32 destination[4];
	__u16 source_port; /* both in network byte order, as in the header */
	__u16 destination_port;
	__u32 transport; /* offset of TCP's header */
	__u32 fragment_id;
	bool is_fragment;
	bool is_first_fragment;
	__u8 flags; /* those of TCP_FLAGS_JUDGED */
};

/* The part of TCP's header that is needed. */
struct tcp_start {
	__u16 source_port;
	__u16 destination_port;
	__u32 seq;
	__u32 ack_seq;
	__u8 offset;
	__u8 flags;
};

static __always_inline bool load(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes_relative(skb, offset, to, len, BPF_HDR_START_NET) == 0;
}

static __always_inline bool parse_ipv4(const struct __sk_buff *skb, struct packet *packet)
{
	struct iphdr header;
	__u16 fragment;

	if (!load(skb, 0, &header, sizeof(header)) || header.protocol != IPPROTO_TCP)
		return false;
	packet->family = HAWSER_STEER_IPV4;
	packet->source[0] = header.saddr;
	packet->destination[0] = header.daddr;
	packet->transport = header.ihl * 4U;
	fragment = bpf_ntohs(header.frag_off);
	packet->is_fragment = fragment & (FRAGMENT_OFFSET | FRAGMENT_MORE);
	packet->is_first_fragment = (fragment & FRAGMENT_OFFSET) == 0;
	packet->fragment_id = header.id;
	return true;
}

struct fragment_header { /* RFC 8200 section 4.5 */
	__u8 next;
	__u8 reserved;
	__u16 offset;
	__u32 id;
};

static __always_inline bool parse_ipv6(const struct __sk_buff *skb, struct packet *packet)
{
	struct ipv6hdr header;
	__u8 next;

	if (!load(skb, 0, &header, sizeof(header)))
		return false;
	packet->family = HAWSER_STEER_IPV6;
	__builtin_memcpy(packet->source, &header.saddr, sizeof(packet->source));
	__builtin_memcpy(packet->destination, &header.daddr, sizeof(packet->destination));
	packet->transport = sizeof(header);
	packet->is_first_fragment = true;
	next = header.nexthdr;
	for (int i = 0; i < EXTENSIONS_MAX && next != IPPROTO_TCP; i++) {
		struct fragment_header extension;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT)
			return false;
		if (!load(skb, packet->transport, &extension, sizeof(extension)))
			return false;
		if (next == IPPROTO_FRAGMENT) {
			packet->is_fragment = true;
			packet->fragment_id = extension.id;
			if (bpf_ntohs(extension.offset) & 0xfff8) {
				packet->is_first_fragment = false;
				return true;
			}
			packet->transport += sizeof(extension);
		} else {
			/* Its second byte is its length, less the first 8 bytes, by 8. */
			packet->transport += (extension.reserved + 1U) * 8;
		}
		next = extension.next;
	}
	return next == IPPROTO_TCP;
}

static __always_inline bool parse(const struct __sk_buff *skb, struct packet *packet)
{
	struct tcp_start tcp;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (!parse_ipv4(skb, packet))
			return false;
	} else if (skb->protocol != bpf_htons(ETH_P_IPV6) || !parse_ipv6(skb, packet)) {
		return false;
	}
	if (!packet->is_first_fragment)
		return true;
	if (!load(skb, packet->transport, &tcp, sizeof(tcp)))
		return false;
	packet->source_port = tcp.source_port;
	packet->destination_port = tcp.destination_port;
	packet->flags = tcp.flags & TCP_FLAGS_JUDGED;
	return true;
}

/* The socket, of any state, that a packet to this address belongs to. To be released. */
static __always_inline struct bpf_sock *find_socket(struct __sk_buff *skb,
						    const struct packet *packet,
						    const __u32 ip[static 4], __u16 port)
{
	struct bpf_sock_tuple tuple = {};

	if (packet->family == HAWSER_STEER_IPV4) {
		tuple.ipv4.saddr = packet->source[0];
		tuple.ipv4.sport = packet->source_port;
		tuple.ipv4.daddr = ip[0];
		tuple.ipv4.dport = port;
		return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, packet->source, sizeof(tuple.ipv6.saddr));
	tuple.ipv6.sport = packet->source_port;
	__builtin_memcpy(tuple.ipv6.daddr, ip, sizeof(tuple.ipv6.daddr));
	tuple.ipv6.dport = port;
	return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* Whether a connection with just these addresses is known here. A listener on any address would be
 * found as well, and a first packet may follow one that is in TIME_WAIT: that is for the listener.
 */
static __always_inline bool has_socket(struct __sk_buff *skb, const struct packet *packet)
{
	struct bpf_sock *sk =
		find_socket(skb, packet, packet->destination, packet->destination_port);
	__u32 state;

	if (!sk)
		return false;
	state = sk->state;
	bpf_sk_release(sk);
	return state != BPF_TCP_LISTEN &&
	       !(state == BPF_TCP_TIME_WAIT && packet->flags == TCP_FLAGS_FIRST);
}

/* Whether the host would forward a packet to this address, and not by the LAN if that matters. */
static __always_inline bool is_beyond(struct __sk_buff *skb, const struct packet *packet,
				      const __u32 source[static 4],
				      const __u32 destination[static 4], bool lan_too)
{
	struct bpf_fib_lookup fib = {.l4_protocol = IPPROTO_TCP, .ifindex = skb->ifindex};
	long result;

	if (packet->family == HAWSER_STEER_IPV4) {
		fib.family = AF_INET;
		fib.ipv4_src = source[0];
		fib.ipv4_dst = destination[0];
	} else {
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_src, source, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, destination, sizeof(fib.ipv6_dst));
	}
	result = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	switch (result) {
	case BPF_FIB_LKUP_RET_UNSUPP_LWT: /* a tunnel by route, so not by the LAN */
		return true;
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return lan_too || !bpf_map_lookup_elem(&lan, &fib.ifindex);
	default: /* this host, nowhere, or many */
		return false;
	}
}

static __always_inline bool is_bypassed(const struct __sk_buff *skb, const struct packet *packet)
{
	struct hawser_steer_prefix prefix = {.bits = 8 * (sizeof(prefix) - sizeof(prefix.bits)),
					     .family = packet->family};
	const __u32 ifindex = skb->ifindex;
	const __u32 port = bpf_ntohs(packet->destination_port);
	const __u32 word = port / HAWSER_STEER_PORT_BITS;
	const struct hawser_steer_lan *interface;
	const __u64 *bits;
	__u64 mac = 0;

	__builtin_memcpy(prefix.ip, packet->destination, sizeof(prefix.ip));
	if (bpf_map_lookup_elem(&destinations, &prefix))
		return true;
	__builtin_memcpy(prefix.ip, packet->source, sizeof(prefix.ip));
	if (bpf_map_lookup_elem(&sources, &prefix))
		return true;
	bits = bpf_map_lookup_elem(&ports, &word);
	if (bits && *bits >> port % HAWSER_STEER_PORT_BITS & 1)
		return true;
	interface = bpf_map_lookup_elem(&lan, &ifindex);
	return interface && interface->has_mac &&
	       bpf_skb_load_bytes_relative(skb, SOURCE_MAC, &mac, ETH_ALEN, BPF_HDR_START_MAC) ==
		       0 &&
	       bpf_map_lookup_elem(&macs, &mac);
}

static __always_inline bool is_auto_bypassed(const struct packet *packet)
{
	struct hawser_steer_destination key = {.family = packet->family,
					       .port = packet->destination_port};
	const __u64 *ends_ns;

	if (settings.retry == 0)
		return false;
	__builtin_memcpy(key.ip, packet->destination, sizeof(key.ip));
	ends_ns = bpf_map_lookup_elem(&auto_bypass, &key);
	return ends_ns && bpf_ktime_get_ns() < *ends_ns &&
	       bpf_get_prandom_u32() % settings.retry != 0;
}

static __always_inline bool is_hawserd_alive(void)
{
	const __u32 zero = 0;
	const __u64 *last_ns = bpf_map_lookup_elem(&beat, &zero);

	/* A beat of another CPU's clock may be of the future. */
	return last_ns && *last_ns + HAWSER_STEER_ALIVE_NS > bpf_ktime_get_ns();
}

static __always_inline bool hand_over(struct __sk_buff *skb, const struct packet *packet)
{
	const bool is_ipv4 = packet->family == HAWSER_STEER_IPV4;
	__u32 ip[4];
	struct bpf_sock *sk;
	bool done;

	if (!is_hawserd_alive() || !(is_ipv4 ? settings.ipv4.present : settings.ipv6.present))
		return false;
	for (int i = 0; i < 4; i++)
		ip[i] = is_ipv4 ? settings.ipv4.ip[i] : settings.ipv6.ip[i];
	sk = find_socket(skb, packet, ip, is_ipv4 ? settings.ipv4.port : settings.ipv6.port);
	if (!sk)
		return false;
	done = sk->state == BPF_TCP_LISTEN && bpf_sk_assign(skb, sk, 0) == 0;
	bpf_sk_release(sk);
	return done;
}

static __always_inline enum hawser_steer_counter judge(struct __sk_buff *skb,
						       const struct packet *packet)
{
	/* Not from this router either: its own connection that somebody sent back. Nor what would
	 * leave by the LAN again: hawserd's own connection there could be sent back to be taken. */
	if (!is_beyond(skb, packet, packet->source, packet->destination, false) ||
	    !is_beyond(skb, packet, packet->destination, packet->source, true))
		return HAWSER_STEER_LOCAL;
	if (is_bypassed(skb, packet))
		return HAWSER_STEER_BYPASSED;
	if (is_auto_bypassed(packet))
		return HAWSER_STEER_AUTO_BYPASSED;
	return hand_over(skb, packet) ? HAWSER_STEER_CAUGHT : HAWSER_STEER_MISSED;
}

static __always_inline void count(__u32 which)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &which);

	if (counter)
		(*counter)++;
}

static __always_inline void fragment_key(const struct packet *packet, struct fragment *key)
{
	key->family = packet->family;
	key->id = packet->fragment_id;
	__builtin_memcpy(key->source, packet->source, sizeof(key->source));
	__builtin_memcpy(key->destination, packet->destination, sizeof(key->destination));
}

/* Later fragments follow their first, as they mostly do on the wire, too. */
static __always_inline bool follows_fragment(const struct packet *packet)
{
	struct fragment key = {};
	const __u64 *since_ns;

	fragment_key(packet, &key);
	since_ns = bpf_map_lookup_elem(&fragments, &key);
	return since_ns && bpf_ktime_get_ns() < *since_ns + FRAGMENT_MAX_NS;
}

static __always_inline void remember_fragment(const struct packet *packet)
{
	struct fragment key = {};
	const __u64 now_ns = bpf_ktime_get_ns();

	fragment_key(packet, &key);
	bpf_map_update_elem(&fragments, &key, &now_ns, BPF_ANY);
}

/* Whether it is to be delivered on this host. */
static __always_inline bool is_ours(struct __sk_buff *skb, const struct packet *packet)
{
	enum hawser_steer_counter counter;

	if (!packet->is_first_fragment)
		return follows_fragment(packet);
	if (has_socket(skb, packet)) {
		if (packet->is_fragment)
			remember_fragment(packet);
		return true;
	}
	if (packet->flags != TCP_FLAGS_FIRST || packet->is_fragment)
		return false;
	counter = judge(skb, packet);
	count(counter);
	return counter == HAWSER_STEER_CAUGHT;
}

SEC("tc")
int hawser_steer(struct __sk_buff *skb)
{
	struct packet packet = {};

	if (parse(skb, &packet) && is_ours(skb, &packet))
		skb->mark |= settings.mark;
	return NEXT_PROGRAM;
}

/* Not for the LAN: whether what is handed over is taken. */
SEC("?tc")
int hawser_steer_try(struct __sk_buff *skb)
{
	struct packet packet = {};

	if (parse(skb, &packet) && packet.flags == TCP_FLAGS_FIRST)
		count(hand_over(skb, &packet) ? HAWSER_STEER_CAUGHT : HAWSER_STEER_MISSED);
	return NEXT_PROGRAM;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
