/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packets_pair.c, and packets_back.c, the way back, share. */
#ifndef HAWSER_ACCEL_PACKETS_PAIR_PRIVATE_H
#define HAWSER_ACCEL_PACKETS_PAIR_PRIVATE_H

#include "accel/packets_learn.h"
#include "accel/packets_pair.h"

struct packets_pair {
	struct packets_worker *worker;
	struct poller *poller;
	struct hawser_packets_pair *shared;
	int slot;
	bool agreed; /* nothing waits in the sockets that the program has not seen */
	bool live;   /* armed or taken: acknowledgements are the program's to note */
	bool rests;  /* the sockets do */
	bool reset;
	bool careful;			     /* not where packets get lost */
	struct packets_end ends[DIRECTIONS]; /* by the direction from it */
	struct poll_watch silence;	     /* after a reset */
	struct poll_watch leaving;
	uint64_t packets;  /* when that was looked at last */
	double silent_s;   /* since when no other has come */
	bool answered;	   /* one has, since the reset */
	bool pressing;	   /* what is on its way will not arrive */
	double leaving_s;  /* since when it is to come back */
	double wayless_s;  /* since when there is no way back; 0: there is, as far as is known */
	double frozen_s;   /* since when nothing is forwarded; 0: it is */
	double followed_s; /* when the way was last looked up */
	unsigned int vain; /* how often it was the same since both peers were seen */
	uint32_t takes;	   /* by the program, when it was armed last */
	const char *unfit;
	struct {
		double first_s; /* of packets that did not fit so much */
		double last_s;
		uint32_t mtu;
	} big;
	packets_pair_fn *notify;
	void *owner;
};

static inline uint32_t packets_pair_state(const struct packets_pair *pair)
{
	return (uint32_t)(__atomic_load_n(&pair->shared->word, __ATOMIC_SEQ_CST) &
			  HAWSER_PACKETS_STATE);
}

/* Of packets_pair.c: */

/* Changes the state from one to another, whatever is counted meanwhile. False: it was a third. */
bool packets_pair_change(struct packets_pair *pair, enum hawser_packets_state from,
			 enum hawser_packets_state to);

/* Both streams have ended. */
bool packets_pair_is_over(const struct packets_pair *pair);

/* Another hawserd has taken this one for dead, and let go of the pair that was taken. */
bool packets_pair_is_let_go(const struct packets_pair *pair);

/* Of packets_back.c: */

/* For how long nobody has said anything, as far as it was looked at; and from now on. */
double packets_pair_silence_s(struct packets_pair *pair);
void packets_pair_listen(struct packets_pair *pair);

/* When nothing is forwarded any more. Whether both sockets are where their peers are. The program
 * lets packets through before the sockets ask for any. */
bool packets_pair_thaw(struct packets_pair *pair);

#endif
