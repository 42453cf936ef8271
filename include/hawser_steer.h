/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the program of `hawser intercept up --method bpf` and user space share. Include
 * <linux/types.h> or <linux/bpf.h> first. */
#ifndef HAWSER_STEER_SHARED_H
#define HAWSER_STEER_SHARED_H

/* So long after hawserd's last beat at most, connections are still sent to it. */
#define HAWSER_STEER_ALIVE_NS 1500000000ULL

/* Values of `family`; IPv4 is ip[0] alone, the rest 0. All ip are in network byte order. */
#define HAWSER_STEER_IPV4 4U
#define HAWSER_STEER_IPV6 6U

struct hawser_steer_listener {
	__u32 ip[4];
	__u16 port;    /* network byte order */
	__u16 present; /* 0: the family is left alone */
};

struct hawser_steer_settings {
	__u32 mark;  /* for what is to be delivered on this host */
	__u32 retry; /* one in so many of the map auto_bypass is taken; 0: there is no auto-bypass
		      */
	struct hawser_steer_listener ipv4;
	struct hawser_steer_listener ipv6;
};

/* Key of the tries destinations and sources. */
struct hawser_steer_prefix {
	__u32 bits; /* 32 for the family, and those of the address */
	__u32 family;
	__u32 ip[4];
};
_Static_assert(sizeof(struct hawser_steer_prefix) == 24, "shared with the program");

/* Key of auto_bypass; the value is when it ends, by CLOCK_MONOTONIC in ns. */
struct hawser_steer_destination {
	__u32 family;
	__u32 ip[4];
	__u32 port; /* network byte order, in the first two bytes */
};
_Static_assert(sizeof(struct hawser_steer_destination) == 24, "shared with the program");

/* Of the map lan, by ifindex. */
struct hawser_steer_lan {
	__u32 has_mac; /* Ethernet */
	__u32 unused;  /* own_qdisc of 2026: the size is that of maps in force */
};
_Static_assert(sizeof(struct hawser_steer_lan) == 8, "shared with the program");

/* Indices of the map counters: what became of connections. */
enum hawser_steer_counter {
	HAWSER_STEER_CAUGHT,
	HAWSER_STEER_BYPASSED,
	HAWSER_STEER_AUTO_BYPASSED,
	HAWSER_STEER_LOCAL,
	HAWSER_STEER_MISSED,
	HAWSER_STEER_COUNTERS,
};

/* The map ports is a set of bits. */
#define HAWSER_STEER_PORT_WORDS 1024U
#define HAWSER_STEER_PORT_BITS	64U

#define HAWSER_STEER_AUTO_BYPASS_MAX 32768

#endif
