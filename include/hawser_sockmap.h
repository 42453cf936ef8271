/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the verdict program and user space share: the flow as it is seen in map `flows`, and the
 * events. Include <linux/types.h> or <linux/bpf.h> first. */
#ifndef HAWSER_SOCKMAP_H
#define HAWSER_SOCKMAP_H

/* The word of a flow, in one so that every change is atomic:
 *   bits 63-32  bytes passed to the source's own receive queue, modulo 2^32
 *   bit  31     pass: set, all goes to the receive queue; clear, to the target while credit lasts
 *   bits 30-0   credit: bytes that may still be redirected
 * Redirected in all is granted - credit, in either mode. Both sides change it at the same time:
 *   the program  takes credit by compare-and-swap, but only while pass is clear;
 *                or adds to passed and then sets pass
 *   user space   adds credit; sets pass; clears it by compare-and-swap against a passed count that
 *                it has received in full, so that nothing it still has to forward is overtaken */
#define HAWSER_WORD_PASS       0x80000000ULL
#define HAWSER_WORD_CREDIT     0x7fffffffULL
#define HAWSER_WORD_PASSED_BIT 32

enum hawser_mode {
	HAWSER_UNUSED,
	HAWSER_REDIRECT,
	HAWSER_PASS,
};

enum hawser_direction {
	HAWSER_UP, /* client to server */
	HAWSER_DOWN,
};

/* The program can cut so much off the front of a segment: what the kernel's helper takes at most,
 * so many times that nothing is longer. TCP merges what came out of order, up to MAX_SKB_FRAGS (17)
 * pieces of a sender's 32 KiB. */
#define HAWSER_TRIM_STEP_BYTES 4095U
#define HAWSER_TRIM_STEPS      160
#define HAWSER_TRIM_BYTES      ((__u32)(HAWSER_TRIM_STEP_BYTES * HAWSER_TRIM_STEPS))

/* One direction of a session; its index is the slot. Shown by `bpftool map dump`. */
struct hawser_flow {
	__u64 word;
	__u64 session;
	__u64 cookie; /* of the source */
	enum hawser_direction direction;
	enum hawser_mode mode; /* of the word, for people; the word is what counts */
	__u32 worker;	       /* whose event ring */
	__u32 low_water;       /* an event when credit falls below; bytes */
	__u32 next_seq;	       /* of TCP: what the source has received before is not sent again */
	__u32 check_seq;       /* next_seq is meant */
	/* Written by the program. */
	__u64 redirected; /* bytes */
	__u64 passed;	  /* bytes */
	__u64 segments;
	__u64 events;
	__u64 events_lost; /* the ring was full */
	__u64 trimmed;	   /* bytes that had been received before */
	__u64 broken; /* times that a segment did not follow the last, or could not be trimmed */
	/* Written by user space. */
	__u64 granted; /* bytes */
	__u64 entries;
	__u64 exits;
};
_Static_assert(sizeof(struct hawser_flow) == 128, "shared with the program");

enum hawser_event_kind {
	HAWSER_EVENT_LOW,    /* credit fell below low_water */
	HAWSER_EVENT_PASSED, /* the program set pass: credit was used up */
	HAWSER_EVENT_BROKEN, /* the flow's bytes are not whole any more */
};

struct hawser_event {
	__u32 slot;
	enum hawser_event_kind kind;
};
_Static_assert(sizeof(struct hawser_event) == 8, "shared with the program");

#endif
