/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel offers an endpoint to a connection once; when that join fails, it never tries again.
 * So who joins is looked at for a while, and the endpoint is offered again to those that miss it;
 * and an endpoint that hawserd itself withdraws stays while a connection has nothing else. */
#ifndef HAWSER_LINKS_LINK_OFFERS_H
#define HAWSER_LINKS_LINK_OFFERS_H

#include "links/link_journal.h"
#include "links/link_standing.h"

/* How long a link that is to go for good stays for connections that have no other subflow. */
#define LINK_OFFERS_GRACE_S 30.

/* An address and what has become of its endpoint. */
struct link_offer {
	union address address;
	bool moved;    /* joins that are on their way were sent by a way that was another */
	bool was_deaf; /* and nothing came by that */
	unsigned int moved_looks; /* since then */
	double sent_s;		  /* when joins were last sent that may arrive; 0: none is known */
	double answer_s;	  /* how long an answer takes; 0: not known */
	double look_s;		  /* when to see next who misses it */
	unsigned int looks;	  /* since it was added, or others began to need it */
	double held_s;	    /* since when it only stays for those that have nothing else; 0: no */
	double held_look_s; /* when to see next whether they still have not */
};

/* All zero at the start. */
struct link_offers {
	struct link_offer offers[LINK_JOURNAL_ENDPOINTS_MAX];
	size_t count;
};

/* The functions below take seconds of any steady clock. */

/* The endpoint was added; joins are on their way. */
void link_offers_added(struct link_offers *offers, const union address *address, double now_s);
void link_offers_dropped(struct link_offers *offers, const union address *address);

/* How long an answer takes by the way from the address; 0: not known. */
void link_offers_answer(struct link_offers *offers, const union address *address, double answer_s);

/* The way out from the address is another since a moment ago: who has not joined yet waits for an
 * answer that may never come, and for longer each time; so does, if was_deaf, as nothing has come
 * by the way before it for a while, who has joined. The way back may be another later. */
void link_offers_moved(struct link_offers *offers, const union address *address, bool was_deaf,
		       double now_s);

/* Whether to look at connections now. */
bool link_offers_due(const struct link_offers *offers, double now_s);

/* How long until the next look that cannot wait for the usual one; below 0: there is none. */
double link_offers_wait_s(const struct link_offers *offers, double now_s);

/* Connections have been looked at. Who was due and could not be judged, as there is none or the
 * kernel does not tell, is looked at later. */
void link_offers_passed(struct link_offers *offers, double now_s);

enum link_hold {
	LINK_HOLD_NONE,	  /* nobody is alone on it: it may go */
	LINK_HOLD_BEGINS, /* it stays from now on */
	LINK_HOLD_ON,	  /* it stays */
	LINK_HOLD_ENDS,	  /* it has stayed for long enough */
};

/* What becomes of this endpoint that is not wanted any more. for_good: it stays no longer than
 * LINK_OFFERS_GRACE_S. */
enum link_hold link_offers_hold(struct link_offers *offers, const union address *address,
				bool for_good, const struct link_standing *standing, double now_s);

/* The endpoint is wanted. */
void link_offers_release(struct link_offers *offers, const union address *address);

enum link_again {
	LINK_AGAIN_NO,
	LINK_AGAIN_MISSED,  /* to those that miss it */
	LINK_AGAIN_MOVED,   /* to those that are on their way, which has moved, too */
	LINK_AGAIN_UNHEARD, /* and to those that nothing comes to since their way was lost */
};

/* Whether to offer this endpoint again, which ends its subflows first: only when all that have one
 * there have another, and some need it to live, or more miss it than have it. After
 * LINK_AGAIN_UNHEARD that other may be on an address that is to go, which has to wait for a look.
 */
enum link_again link_offers_again(struct link_offers *offers, const union address *address,
				  const struct link_standing *standing, double now_s);

#endif
