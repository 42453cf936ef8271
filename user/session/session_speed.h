/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exit's side of a speed test: a source, a sink or an echo for a router with a token, within
 * the limits of that. */
#ifndef HAWSER_SESSION_SESSION_SPEED_H
#define HAWSER_SESSION_SESSION_SPEED_H

struct session;

/* The handshake asks for one: answers it, and serves until its time is over, the day's bytes are
 * used up, or the router goes. */
void session_speed_start(struct session *session);

/* Nothing is served any more. Idempotent. */
void session_speed_stop(struct session *session);

#endif
