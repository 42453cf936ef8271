/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program bpf/packets.bpf.c: loads and attaches it; slots, keys and events of the workers.
 * Knows no socket. */
#ifndef HAWSER_ACCEL_PACKETS_H
#define HAWSER_ACCEL_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

#include "base/address.h"
#include "hawser_packets.h"
#include "net/kernel.h"

struct packets;
struct packets_worker;

struct packets_options {
	const char *off; /* a reason not to; NULL: none */
	unsigned int workers;
	unsigned int slots; /* pairs, per worker */
};

/* Main thread, before workers start. Whatever the kernel refuses is switched off with a reason, so
 * this fails only for want of memory: NULL. */
struct packets *packets_open(const struct packets_options *options);

/* After the workers have stopped. Nothing stays attached. packets_close(NULL) does nothing. */
void packets_close(struct packets *packets);

/* For the trial: a worker to try with, NULL when the program is not loaded; and what came of it.
 * fault: NULL if it works. */
struct packets_worker *packets_worker_to_try(struct packets *packets);
void packets_set_tried(struct packets *packets, const char *fault);

/* Has the program handle a frame of so many bytes, in place. What it says, TC_ACT_…, or -errno. */
int packets_run(struct packets *packets, uint8_t *frame, size_t len);

/* Never NULL; constant once workers run. */
const struct feature_state *packets_feature(const struct packets *packets);

/* NULL when it is off. What follows is for that worker's thread only. */
struct packets_worker *packets_worker(struct packets *packets, unsigned int index);

/* Readable when there are events; not the caller's to close. */
int packets_event_fd(const struct packets_worker *worker);

/* Hands every waiting event to handle, which may enter and leave. */
typedef void packets_event_fn(void *owner, const struct hawser_packets_event *event);
void packets_read_events(struct packets_worker *worker, packets_event_fn *handle);

/* The device by which a packet with this mark would go out from our address to a peer's. foreign:
 * it is one that we may only have taken.
 * -EHOSTUNREACH: the peer is on this host, or nowhere; or another -errno. */
int packets_device_to(struct packets_worker *worker, const union address *own,
		      const union address *peer, uint32_t mark, bool foreign);

/* Has the program look at what comes by a device. 0; -EOPNOTSUPP: a kind of device that it does not
 * know; or another -errno. */
int packets_attend(struct packets_worker *worker, int device);

/* Makes the pair known to the program. initial has everything, but for what the program counts; its
 * word is HAWSER_PACKETS_LEARN. *pair is valid until packets_leave(). A slot, -ENOSPC or another
 * -errno. */
int packets_enter(struct packets_worker *worker, const struct hawser_packets_pair *initial,
		  void *owner, struct hawser_packets_pair **pair);

/* Tells the leg's peer that its packet with this sequence number does not fit the other leg. False:
 * it cannot be told. */
bool packets_tell_too_big(const struct packets_worker *worker,
			  const struct hawser_packets_pair *pair, unsigned int leg, uint32_t seq);

/* Has connection tracking forget both connections: it does not see their packets, and would take
 * later ones for wrong. */
void packets_untrack(const struct packets_worker *worker, const union address *client,
		     const union address *client_own, const union address *server_own,
		     const union address *server);

/* Nobody's from now on. Of a pair whose word says HAWSER_PACKETS_CLOSED what is sent again is
 * forwarded for a minute, or for seconds when few slots are free. */
void packets_leave(struct packets_worker *worker, int slot);

/* Once a second: lets go of what is over, and tells anew what has happened to a pair, as there may
 * have been no room for the event. HAWSER_PACKETS_EVENT_IDLE: its peers have been silent for
 * idle_s; HAWSER_PACKETS_EVENT_LOSSY: its packets get lost. */
void packets_tidy(struct packets_worker *worker, double idle_s, packets_event_fn *handle);

#endif
