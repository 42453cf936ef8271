/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the program that forwards the packets of spliced connections and user space share. Include
 * <linux/types.h> or <linux/bpf.h> first. */
#ifndef HAWSER_PACKETS_SHARED_H
#define HAWSER_PACKETS_SHARED_H

/* Who moves the bytes of a pair. The lower bits of its word; above them, packets that were passed
 * on to the sockets are counted. */
enum hawser_packets_state {
	HAWSER_PACKETS_FREE,   /* nobody's: packets are not looked at */
	HAWSER_PACKETS_LEARN,  /* user space, which may be reading or writing */
	HAWSER_PACKETS_ARMED,  /* user space, which has written all that it has read */
	HAWSER_PACKETS_TAKEN,  /* the program */
	HAWSER_PACKETS_FROZEN, /* nobody: packets are dropped, until user space has taken it back */
	HAWSER_PACKETS_CLOSED, /* both streams have ended; what is sent again is forwarded */
};
#define HAWSER_PACKETS_STATE 0xffULL
#define HAWSER_PACKETS_ONE   0x100ULL

/* What is older when a packet comes is not trusted: the clocks of the peers may not go alike. */
#define HAWSER_PACKETS_ARMED_MAX_NS 2000000000ULL

/* Values of family, as the kernel's. */
#define HAWSER_PACKETS_IPV4 2U
#define HAWSER_PACKETS_IPV6 10U

/* No peer has more than this on its way (RFC 7323 section 2.3). */
#define HAWSER_PACKETS_WINDOW_MAX (1U << 30)

/* By so much a peer may go beyond the room that its receiver has told of: a probe, and words that
 * overtook each other. */
#define HAWSER_PACKETS_SLACK (1U << 16)

/* Where a packet to a peer goes next; asked for again when it is older than a second. */
struct hawser_packets_hop {
	__u64 until_ns;
	__u32 known;
	__u32 family; /* of address */
	__u32 address[4];
};

/* A connection of the pair: the peer, and our end. Sequence numbers are as they are on the wire, in
 * host byte order: those of the peer's bytes and those of ours. */
struct hawser_packets_leg {
	/* By user space, before it is armed: */
	__u32 peer[4]; /* network byte order; IPv4: the first */
	__u32 own[4];
	__u16 peer_port; /* network byte order */
	__u16 own_port;
	__u8 peer_scale; /* of the windows that the peer tells */
	__u8 own_scale;	 /* of those that it is told */
	__u8 stamps;	 /* time stamps were agreed on */
	__u8 padding;
	__u32 mark;	   /* of packets to the peer */
	__u32 copied;	   /* the peer's byte that user space takes next */
	__u32 written;	   /* our byte that user space writes next */
	__u32 seq_delta;   /* from the peer's numbers to ours on the other leg */
	__u32 stamp_delta; /* the same for its time stamps */
	__u32 stamp_floor; /* no older one of its own is echoed to it */
	__u32 ifindex;	   /* by which packets go to the peer, and are to come from it;
			    * followed while it is taken, too */
	/* By the program: */
	__u32 mtu;	 /* of packets to the peer; set by user space, lowered by the program */
	__u32 end;	 /* after the peer's last byte that was seen; its FIN counts */
	__u32 edge;	 /* the peer's byte from which on its other end has no room */
	__u32 own_acked; /* our byte that the peer expects, while user space moves bytes */
	__u32 stamp;	 /* its newest; 0: none came yet */
	__u32 window;	 /* bytes that it told last */
	__u32 seen;	 /* its last packet came by ifindex */
	__u32 astray;	 /* packets that came by another device, or have no way by ifindex */
	__u32 fin;	 /* after its FIN */
	__u32 has_fin;
	__u32 held;  /* by user space: the pair is to come back, so nothing new is asked for */
	__u64 acked; /* the peer's byte that its other end expects; the upper half counts rounds */
	__u64 packets; /* from the peer, forwarded; as on the wire */
	__u64 last_ns; /* when the last one came that was not after the end of both streams */
	__u64 again;   /* those that brought nothing but what had been seen, or came late */
	__u64 too_big; /* packets from the peer that did not fit the other leg */
	__u64 told_ns; /* when user space last heard of that */
	struct hawser_packets_hop hop;
};
_Static_assert(sizeof(struct hawser_packets_leg) == 192, "shared with the program");

struct hawser_packets_pair {
	__u64 word;
	__u64 session;
	__u64 armed_ns;	  /* CLOCK_MONOTONIC */
	__u32 generation; /* a packet that looked it up before is not of this pair */
	__u32 worker;
	__u32 family;
	__u32 resets;  /* that the receiver will take for right */
	__u32 unusual; /* fragments, options of IP: none of the program's */
	__u32 takes;
	__u64 dropped; /* packets that no honest peer sends, or that came on its way back */
	__u64 events_lost;
	__u64 reset_ns;			   /* when the last of the resets came; 0: none */
	struct hawser_packets_leg legs[2]; /* client, server */
};
_Static_assert(sizeof(struct hawser_packets_pair) == 456, "shared with the program");

/* A connection as its packets are on arrival; all in network byte order, IPv4 in the first word. */
struct hawser_packets_key {
	__u32 source[4];
	__u32 destination[4];
	__u16 source_port;
	__u16 destination_port;
	__u32 family;
};
_Static_assert(sizeof(struct hawser_packets_key) == 40, "shared with the program");

struct hawser_packets_value {
	__u32 slot;
	__u32 leg;
	__u32 generation;
};
_Static_assert(sizeof(struct hawser_packets_value) == 12, "shared with the program");

/* So many bits tell cheaply that a packet is none of ours: the one of its hash is clear. */
#define HAWSER_PACKETS_BUCKETS 4096U

/* Of the ports as they lie in the header, and of all words of both addresses, by exclusive or. */
static inline __u32 hawser_packets_bucket(__u32 ports, __u32 addresses)
{
	return ((ports ^ addresses) * 0x9e3779b1U) >> 20;
}

static inline __u32 hawser_packets_bucket_of(const struct hawser_packets_key *key)
{
	__u32 addresses = 0;
	__u32 ports;

	__builtin_memcpy(&ports, &key->source_port, sizeof(ports));
	for (int i = 0; i < 4; i++)
		addresses ^= key->source[i] ^ key->destination[i];
	return hawser_packets_bucket(ports, addresses);
}

enum hawser_packets_event_kind {
	HAWSER_PACKETS_EVENT_TAKEN,
	HAWSER_PACKETS_EVENT_FIN,
	HAWSER_PACKETS_EVENT_CLOSED,
	HAWSER_PACKETS_EVENT_RESET,
	HAWSER_PACKETS_EVENT_TOO_BIG,
	HAWSER_PACKETS_EVENT_UNUSUAL,
	HAWSER_PACKETS_EVENT_ASTRAY, /* the way to a peer may be another now */
	HAWSER_PACKETS_EVENT_IDLE,   /* by user space */
	HAWSER_PACKETS_EVENT_LOSSY,  /* the same */
};

struct hawser_packets_event {
	__u32 slot;
	__u32 kind;
	__u32 leg; /* that the packet came from */
	__u32 seq; /* of the packet */
};
_Static_assert(sizeof(struct hawser_packets_event) == 16, "shared with the program");

/* The owner's sign of life, by CLOCK_MONOTONIC. */
#define HAWSER_PACKETS_ALIVE_NS 10000000000ULL

#endif
