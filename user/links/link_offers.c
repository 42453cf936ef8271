/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an endpoint is offered to connections again, and when it may go. */
#include "links/link_offers.h"

#include <math.h>

/* A join takes a round trip or two, and a SYN may be lost. The wait doubles. */
#define FIRST_LOOK_S 2.
#define LOOKS_MAX    5
/* The same after the way has moved, as TCP doubles its waiting from a second on. */
#define MOVED_LOOK_S	0.05
#define MOVED_LOOKS_MAX 5
/* A join that was sent is not in vain before an answer could be there and, where nobody knows how
 * long that takes, before TCP itself sends it again. */
#define JOIN_LATE      1.25
#define JOIN_MIN_S     0.1
#define JOIN_UNKNOWN_S 1.
/* Then only for those that wait for it. */
#define RARE_LOOK_S 300.
/* How often to see whether a connection has found another subflow, and so much rarer with time. */
#define HELD_LOOK_S   1.
#define HELD_SLOWDOWN (1 / 16.)

static struct link_offer *find(struct link_offers *offers, const union address *address)
{
	for (size_t i = 0; i < offers->count; i++)
		if (address_same_ip(&offers->offers[i].address, address))
			return &offers->offers[i];
	return NULL;
}

/* NULL when there is no room. */
static struct link_offer *get(struct link_offers *offers, const union address *address)
{
	struct link_offer *offer = find(offers, address);

	if (offer || offers->count == LINK_JOURNAL_ENDPOINTS_MAX)
		return offer;
	offer = &offers->offers[offers->count++];
	*offer = (struct link_offer){.address = *address};
	return offer;
}

void link_offers_added(struct link_offers *offers, const union address *address, double now_s)
{
	struct link_offer *offer = get(offers, address);

	if (offer)
		*offer = (struct link_offer){.address = *address,
					     .answer_s = offer->answer_s,
					     .sent_s = now_s,
					     .look_s = now_s + FIRST_LOOK_S};
}

void link_offers_answer(struct link_offers *offers, const union address *address, double answer_s)
{
	struct link_offer *offer = find(offers, address);

	if (offer)
		offer->answer_s = answer_s;
}

void link_offers_moved(struct link_offers *offers, const union address *address, bool was_deaf,
		       double now_s)
{
	struct link_offer *offer = find(offers, address);

	bool is_new;

	if (!offer)
		return;
	/* Joins have been sent a moment ago. */
	is_new = !offer->moved && offer->looks == 0 && offer->look_s > now_s;
	if (!is_new)
		offer->sent_s = 0;
	offer->was_deaf = was_deaf || (offer->moved && offer->was_deaf);
	offer->moved = true;
	offer->moved_looks = 0;
	offer->looks = 0;
	offer->look_s = is_new ? now_s + MOVED_LOOK_S : now_s;
}

void link_offers_dropped(struct link_offers *offers, const union address *address)
{
	struct link_offer *offer = find(offers, address);

	if (offer)
		*offer = offers->offers[--offers->count];
}

static bool is_due(const struct link_offer *offer, double now_s)
{
	return offer->held_s > 0 ? now_s >= offer->held_look_s
				 : offer->looks < LOOKS_MAX && now_s >= offer->look_s;
}

bool link_offers_due(const struct link_offers *offers, double now_s)
{
	for (size_t i = 0; i < offers->count; i++)
		if (is_due(&offers->offers[i], now_s))
			return true;
	return false;
}

double link_offers_wait_s(const struct link_offers *offers, double now_s)
{
	double wait_s = -1;

	for (size_t i = 0; i < offers->count; i++) {
		const struct link_offer *offer = &offers->offers[i];
		const double its_s = offer->look_s > now_s ? offer->look_s - now_s : 0;

		if (offer->moved && offer->held_s <= 0 && (wait_s < 0 || its_s < wait_s))
			wait_s = its_s;
	}
	return wait_s;
}

/* The wait doubles. */
static void look_later(struct link_offer *offer, double now_s)
{
	offer->look_s = now_s + FIRST_LOOK_S * (double)(1U << ++offer->looks);
}

static void look_at_hold_later(struct link_offer *offer, double now_s)
{
	offer->held_look_s = now_s + HELD_LOOK_S + HELD_SLOWDOWN * (now_s - offer->held_s);
}

void link_offers_passed(struct link_offers *offers, double now_s)
{
	for (size_t i = 0; i < offers->count; i++) {
		struct link_offer *offer = &offers->offers[i];

		if (!is_due(offer, now_s))
			continue;
		if (offer->held_s > 0) {
			look_at_hold_later(offer, now_s);
		} else {
			offer->moved = false;
			look_later(offer, now_s);
		}
	}
}

enum link_hold link_offers_hold(struct link_offers *offers, const union address *address,
				bool for_good, const struct link_standing *standing, double now_s)
{
	struct link_offer *offer = standing->alone > 0 ? get(offers, address) : NULL;
	const bool begins = offer && offer->held_s <= 0;

	if (!offer)
		return LINK_HOLD_NONE;
	if (begins) {
		offer->held_s = now_s;
		for (size_t i = 0; i < offers->count; i++) {
			struct link_offer *other = &offers->offers[i];

			other->looks = 0;
			if (other->look_s > now_s + FIRST_LOOK_S)
				other->look_s = now_s + FIRST_LOOK_S;
		}
	}
	look_at_hold_later(offer, now_s);
	if (for_good && now_s - offer->held_s >= LINK_OFFERS_GRACE_S)
		return LINK_HOLD_ENDS;
	return begins ? LINK_HOLD_BEGINS : LINK_HOLD_ON;
}

void link_offers_release(struct link_offers *offers, const union address *address)
{
	struct link_offer *offer = find(offers, address);

	if (offer)
		offer->held_s = 0;
}

/* Whether joins may be answered yet. */
static bool are_on_their_way(const struct link_offer *offer, double now_s)
{
	const double known_s = fmax(offer->answer_s * JOIN_LATE, JOIN_MIN_S);

	return offer->sent_s > 0 &&
	       now_s - offer->sent_s < (offer->answer_s > 0 ? known_s : JOIN_UNKNOWN_S);
}

/* Looks soon again while somebody waits. */
static enum link_again judge_moved(struct link_offer *offer, const struct link_standing *standing,
				   double now_s)
{
	const size_t unheard = offer->was_deaf ? standing->unheard : 0;
	const size_t alone = standing->alone - (offer->was_deaf ? standing->sheltered : 0);
	const size_t in_vain = standing->joining + unheard;
	const bool waits = in_vain > 0 || (offer->was_deaf && standing->alone > 0);
	const bool early = are_on_their_way(offer, now_s) && unheard == 0;

	if (!waits || offer->moved_looks == MOVED_LOOKS_MAX) {
		offer->moved = false;
		look_later(offer, now_s);
	} else {
		offer->look_s = now_s + MOVED_LOOK_S * (double)(1U << offer->moved_looks++);
	}
	if (!waits || early || alone > 0 ||
	    standing->missing + in_vain <= standing->users - in_vain)
		return LINK_AGAIN_NO;
	/* From now on they are on their way. */
	offer->was_deaf = false;
	return unheard > 0 ? LINK_AGAIN_UNHEARD : LINK_AGAIN_MOVED;
}

enum link_again link_offers_again(struct link_offers *offers, const union address *address,
				  const struct link_standing *standing, double now_s)
{
	struct link_offer *offer = get(offers, address);
	const bool early = offer && offer->looks < LOOKS_MAX;
	enum link_again again = LINK_AGAIN_NO;
	bool spared;

	if (!offer || now_s < offer->look_s || (!early && standing->waiting == 0))
		return LINK_AGAIN_NO;
	spared = offer->moved && are_on_their_way(offer, now_s);
	if (offer->moved)
		again = judge_moved(offer, standing, now_s);
	else if (early)
		look_later(offer, now_s);
	else
		offer->look_s = now_s + RARE_LOOK_S;
	if (again == LINK_AGAIN_NO && !spared && standing->alone == 0 &&
	    (standing->waiting > 0 || standing->missing > standing->users))
		again = LINK_AGAIN_MISSED;
	if (again != LINK_AGAIN_NO)
		offer->sent_s = now_s;
	return again;
}
