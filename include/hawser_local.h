/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the programs for clients on the same host and user space share. Include <linux/types.h> or
 * <linux/bpf.h> first. */
#ifndef HAWSER_LOCAL_H
#define HAWSER_LOCAL_H

/* Of connection.slot: hawserd has not opened it, or has closed it. */
#define HAWSER_LOCAL_NO_SLOT 0xffffffffU

/* IPv4 addresses are v4-mapped (RFC 4291 section 2.5.5.2). */
struct hawser_local_address {
	__u32 ip[4]; /* network byte order */
	__u32 port;  /* host byte order */
};
_Static_assert(sizeof(struct hawser_local_address) == 20, "shared with the programs");

/* A connection as its client sees it. */
struct hawser_local_key {
	struct hawser_local_address client;
	struct hawser_local_address hawserd;
};
_Static_assert(sizeof(struct hawser_local_key) == 40, "shared with the programs");

/* Made by the program when the client is connected, removed when its socket is closed. */
struct hawser_local_connection {
	__u32 base; /* the sequence number of the client's first byte */
	__u32 slot; /* of map `flows`; written by user space */
};
_Static_assert(sizeof(struct hawser_local_connection) == 8, "shared with the programs");

/* One client's direction to hawserd. Each half has one writer and a cache line of its own. */
struct hawser_local_flow {
	/* Written by user space. */
	__u64 read; /* bytes that hawserd has received on this connection, whichever way they came
		     */
	__u64 session;
	__u64 reserved[6];
	/* Written by the program, which runs under the lock of the client's socket. */
	__u64 redirected; /* bytes, ever */
	__u64 passed;	  /* bytes that were left to TCP; counted twice where TCP took only some */
	__u32 base;	  /* as in the connection */
	__u32 mark;	  /* what TCP had taken, as a sequence number, when last all was read */
	__u32 messages;	  /* redirected since then */
	__u32 unfit;	  /* enum hawser_local_unfit: take the client out of the map */
	__u64 redirects;  /* times */
	__u64 passes;	  /* times */
	__u64 padding[2];
};
_Static_assert(sizeof(struct hawser_local_flow) == 128, "shared with the programs");

/* Why a client's socket must not be, or remain, in a sockhash; see bpf/local.bpf.c. */
enum hawser_local_unfit {
	HAWSER_LOCAL_FIT,
	HAWSER_LOCAL_BLOCKING,
	HAWSER_LOCAL_ZEROCOPY,
	HAWSER_LOCAL_ULP,
};

#endif
