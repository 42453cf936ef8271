// SPDX-License-Identifier: GPL-2.0-or-later
/* Tells the rules of `hawser intercept` that hawserd lives, by elements with a timeout in the set
 * "alive" of their table. When there is no such set, nobody wants to know. */
#include "pulse.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>

#include "log.h"
#include "nft_set.h"

#define BEAT_S 0.5
/* So long after the last beat at most, connections are still sent to a hawserd that died; on a
 * machine busy enough to be late by two beats they are routed meanwhile. */
#define ALIVE_TIMEOUT_MS 1500

#define ALIVE "alive"

struct pulse {
	struct ev_loop *loop;
	struct ev_timer beat;
	struct nft_set_element families[2]; /* that are listened for */
	size_t family_count;
	int complained; /* of this -errno last */
};

static void pulse_on_beat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct pulse *pulse = timer->data;
	int err = nft_set_renew(ALIVE, pulse->families, pulse->family_count, ALIVE_TIMEOUT_MS);

	(void)loop;
	(void)events;
	if (err && err != -ENOENT && err != pulse->complained) {
		log_warning("nftables: cannot say that hawserd lives: %s; with --method redirect, "
			    "'hawser intercept' needs it to have CAP_NET_ADMIN",
			    strerror(-err));
		pulse->complained = err;
	}
}

struct pulse *pulse_open(struct ev_loop *loop)
{
	struct pulse *pulse = calloc(1, sizeof(*pulse));

	if (!pulse)
		return NULL;
	pulse->loop = loop;
	ev_timer_init(&pulse->beat, pulse_on_beat, 0., BEAT_S);
	pulse->beat.data = pulse;
	return pulse;
}

static void pulse_add_family(struct pulse *pulse, uint8_t protocol)
{
	const struct nft_set_element element = {.key = {protocol}, .key_len = 1};

	for (size_t i = 0; i < pulse->family_count; i++)
		if (pulse->families[i].key[0] == protocol)
			return;
	pulse->families[pulse->family_count++] = element;
}

void pulse_start(struct pulse *pulse, const struct config *config)
{
	pulse_stop(pulse);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct listen_config *listen = &config->listen[i];

		if (listen->transparent)
			pulse_add_family(pulse, listen->address.sa.sa_family == AF_INET6
							? NFPROTO_IPV6
							: NFPROTO_IPV4);
	}
	if (pulse->family_count > 0) {
		ev_timer_again(pulse->loop, &pulse->beat);
		pulse_on_beat(pulse->loop, &pulse->beat, 0);
	}
}

void pulse_stop(struct pulse *pulse)
{
	ev_timer_stop(pulse->loop, &pulse->beat);
	/* One by one: what has timed out already cannot be deleted. */
	for (size_t i = 0; i < pulse->family_count; i++)
		(void)nft_set_delete(ALIVE, &pulse->families[i], 1);
	pulse->family_count = 0;
}

void pulse_close(struct pulse *pulse)
{
	if (!pulse)
		return;
	pulse_stop(pulse);
	free(pulse);
}
