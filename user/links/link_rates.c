/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of one link: totals, and rates over a second, a minute and an hour. */
#include "links/link_rates.h"

/* Samples are rarely on the dot. */
#define SLACK_S 0.5

static const struct link_sample *newest(const struct link_samples *ring)
{
	return &ring->samples[(ring->next + LINK_RATES_SAMPLES - 1) % LINK_RATES_SAMPLES];
}

static void keep(struct link_samples *ring, const struct link_sample *sample)
{
	ring->samples[ring->next] = *sample;
	ring->next = (ring->next + 1) % LINK_RATES_SAMPLES;
	if (ring->count < LINK_RATES_SAMPLES)
		ring->count++;
}

void link_rates_move(struct link_rates *meter, int device)
{
	meter->begun = meter->begun && meter->device == device;
}

void link_rates_take(struct link_rates *meter, double now_s, int device,
		     const struct link_bytes *counters)
{
	struct link_sample sample;

	/* What an interface has carried before it was looked at for the first time is not ours. */
	if (!meter->begun)
		meter->raw = *counters;
	else if (device != meter->device || counters->rx < meter->raw.rx ||
		 counters->tx < meter->raw.tx)
		meter->raw = (struct link_bytes){0};
	meter->begun = true;
	meter->device = device;
	meter->total.rx += counters->rx - meter->raw.rx;
	meter->total.tx += counters->tx - meter->raw.tx;
	meter->raw = *counters;
	sample = (struct link_sample){.at_s = now_s, .total = meter->total};
	keep(&meter->fine, &sample);
	if (meter->rough.count == 0 || now_s - newest(&meter->rough)->at_s >= 60 - SLACK_S)
		keep(&meter->rough, &sample);
}

/* The oldest sample of the ring that is no older than span_s before now. */
static const struct link_sample *oldest_within(const struct link_samples *ring, double now_s,
					       double span_s)
{
	const struct link_sample *found = newest(ring);

	for (size_t i = 1; i < ring->count; i++) {
		const struct link_sample *older =
			&ring->samples[(ring->next + (size_t)2 * LINK_RATES_SAMPLES - 1 - i) %
				       LINK_RATES_SAMPLES];

		if (now_s - older->at_s > span_s + SLACK_S)
			break;
		found = older;
	}
	return found;
}

struct link_bytes link_rates_rate(const struct link_rates *meter, enum link_span span)
{
	static const double spans_s[LINK_SPANS] = {1, 60, 3600};
	const struct link_samples *ring = span == LINK_SPAN_HOUR ? &meter->rough : &meter->fine;
	const struct link_sample *now = newest(&meter->fine);
	const struct link_sample *then;
	double seconds;

	if (meter->fine.count == 0)
		return (struct link_bytes){0};
	then = oldest_within(ring, now->at_s, spans_s[span]);
	seconds = now->at_s - then->at_s;
	if (seconds <= 0)
		return (struct link_bytes){0};
	return (struct link_bytes){
		.rx = (uint64_t)((double)(now->total.rx - then->total.rx) / seconds),
		.tx = (uint64_t)((double)(now->total.tx - then->total.tx) / seconds)};
}
