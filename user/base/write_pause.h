/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket that is said to be writable and takes nothing: so it is when the kernel's memory for TCP
 * is used up (net.ipv4.tcp_mem), and whoever believes what poll(2) says goes round without a pause.
 * After a few such attempts a timer says when to try again. */
#ifndef HAWSER_BASE_WRITE_PAUSE_H
#define HAWSER_BASE_WRITE_PAUSE_H

#include <ev.h>
#include <stdbool.h>

/* Attempts in a row that brought nothing, before the first pause. */
#define WRITE_PAUSE_ATTEMPTS 4

/* Pauses are twice as long each time, from 10 ms to 160 ms. */
struct write_pause {
	ev_timer timer; /* active: the socket's word is not to be taken */
	unsigned int in_vain;
};

/* over(): the pause is over; wait for the socket again. pause->timer.data is owner. */
void write_pause_init(struct write_pause *pause,
		      void (*over)(struct ev_loop *loop, ev_timer *timer, int events), void *owner);

/* After an attempt to write when the socket was said to be writable; took: it took something.
 * Starts a pause, or ends it. */
void write_pause_tried(struct write_pause *pause, struct ev_loop *loop, bool took);

/* Nothing is to be waited for but the timer. */
bool write_pause_holds(const struct write_pause *pause);

/* Idempotent; also good for one that was only zeroed. */
void write_pause_stop(struct write_pause *pause, struct ev_loop *loop);

#endif
