/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What relay.c, the pair of flows, relay_end.c, its end, relay_rate.c, its turns at a rate,
 * relay_sockmap.c, its way into the sockmap and back, relay_trial.c, whether that is worth it, and
 * relay_packets.c, its way to packets that are forwarded and back, share. */
#ifndef HAWSER_RELAY_RELAY_PRIVATE_H
#define HAWSER_RELAY_RELAY_PRIVATE_H

#include "relay/relay.h"

/* Of relay.c: */

/* Whether the kernel moves the bytes, so that user space must not touch the sockets. */
bool relay_in_kernel(const struct relay *relay);

/* Moves what a flow has, if user space moves the relay's bytes at all. */
void relay_pump(struct relay *relay, struct flow *flow, struct leg *source, struct leg *target);

/* After every change: is it over, who moves the bytes, and what is each leg to wait for? May free
 * the relay. */
void relay_settle(struct relay *relay);

/* events: EV_READ, EV_WRITE; 0: none. */
void leg_watch_io(struct relay *relay, struct leg *leg, int events);

struct leg *leg_other(struct relay *relay, const struct leg *leg);
struct flow *flow_from(struct relay *relay, const struct leg *leg);
struct flow *flow_to(struct relay *relay, const struct leg *leg);

/* Of relay_end.c; relay_settle() is to follow: */

/* Nothing can be given to this leg any more. What it sent before is still worth reading. */
void relay_leg_died(struct relay *relay, struct leg *leg);

/* The same, and nothing more can be read from it. */
void relay_source_failed(struct relay *relay, struct flow *flow, struct leg *source);

/* Takes no more from either side, which both get what was taken, and then a reset. */
void relay_fail(struct relay *relay, enum cause cause);

/* The flow's source has ended, and all was given. */
void relay_flow_ended(struct relay *relay, struct flow *flow, struct leg *source,
		      struct leg *target);

/* Whether nothing is left to be done but to close or reset both sockets; and why. */
bool relay_is_over(struct relay *relay);
enum cause relay_outcome(const struct relay *relay);

/* Sees to it that what has no event and comes before the end is looked for. */
void relay_await_end(struct relay *relay);

/* Of relay_sockmap.c: */

bool relay_in_sockmap(const struct relay *relay);

/* Whether the two sockets may enter the sockmap. */
bool relay_fits_sockmap(const struct relay *relay);

/* Whether the kernel should move the pair's bytes, after n bytes of a flow by user space. */
bool relay_wants_kernel(struct relay *relay, const struct flow *flow, uint64_t n);

/* Enters if all that was taken has been given. A pair that cannot enter goes on as it is. */
void relay_try_sockmap(struct relay *relay);

/* Of relay_packets.c: */

/* Why the relay's packets are not to be forwarded now; NULL: they may be. */
const char *relay_packets_refusal(const struct relay *relay);

/* Whether more than a question and its answer has been read, with the n bytes of now. */
bool relay_is_worth_learning(struct relay *relay, uint64_t n);

/* Whether its packets are to be forwarded when it chats, or as soon as nothing is held. */
bool relay_may_forward(const struct relay *relay);

/* Has the kernel learn the pair, if all that was taken has been given. False: it is not to be
 * forwarded, so that the sockmap may have it. */
bool relay_try_packets(struct relay *relay);

/* Before the relay touches its sockets, and when it has done so. False: it must not. */
bool relay_packets_begin(struct relay *relay);
void relay_packets_end(struct relay *relay);

/* Has user space move the bytes again, soon. reason: a literal, kept. */
void relay_take_back(struct relay *relay, const char *reason);

/* Of relay_trial.c: */

/* Whether a chatty pair may enter the sockmap. Begins a trial when one is due. */
bool relay_trial_admits(struct relay *relay);

/* Of relay_rate.c, for a relay with a rate: */

/* How many bytes the flow may take now. 0: none, and if only for want of a turn, it rests and is
 * pumped when that comes; SIZE_MAX: no limit. To be settled after the pump. */
size_t relay_rate_ask(struct relay *relay, struct flow *flow);
void relay_rate_settle(struct relay *relay, struct flow *flow, size_t used);

/* Idempotent, and for any relay. */
void relay_rate_stop(struct relay *relay);

#endif
