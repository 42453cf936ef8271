/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trains are handled late, but by the times at which they would have passed, so that neither rate
 * nor delay depends on when anybody looks. */
#include "emulator_path.h"

#include <stdlib.h>

#define NS_PER_S 1000000000ULL
/* So long may segments stay together on the wire: a receiver sees a burst of this, and there are at
 * most 4,000 in a second. */
#define TRAIN_NS 250000
/* What one direction may hold; more than a second of 1 Gbit/s. Beyond, packets are dropped. */
#define HELD_BYTES_MAX (256U << 20)

/* SplitMix64 (Steele, Lea, Flood 2014); returns at least 0, less than 1. */
static double throw_dice(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15ULL;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
	mixed ^= mixed >> 31;
	return (double)(mixed >> 11) * 0x1.0p-53;
}

void path_init(struct path *path, uint64_t seed)
{
	*path = (struct path){.loss_dice = seed, .jitter_dice = ~seed};
	STAILQ_INIT(&path->queue);
	STAILQ_INIT(&path->delayed);
}

static void empty(struct path *path, struct path_trains *trains)
{
	struct path_train *train;

	while ((train = STAILQ_FIRST(trains))) {
		STAILQ_REMOVE_HEAD(trains, next);
		path_free_train(path, train);
	}
}

void path_destroy(struct path *path)
{
	empty(path, &path->queue);
	empty(path, &path->delayed);
}

static uint64_t charge(const struct packet *packet)
{
	return sizeof(*packet) + packet->bytes;
}

void path_free_train(struct path *path, struct path_train *train)
{
	/* The last of its trains takes the packet with it. */
	if (train->packet->references == 1)
		path->held_bytes -= charge(train->packet);
	packet_release(train->packet);
	free(train);
}

/* Returns NULL, and gives up these segments, if there is no memory. */
static struct path_train *append(struct path_trains *trains, struct packet *packet, uint32_t first,
				 uint32_t count, uint64_t at_ns)
{
	struct path_train *train = malloc(sizeof(*train));

	if (!train)
		return NULL;
	*train = (struct path_train){
		.packet = packet_hold(packet), .first = first, .count = count, .at_ns = at_ns};
	STAILQ_INSERT_TAIL(trains, train, next);
	return train;
}

static void draw_knot(struct path *path, struct path_knot *knot, uint64_t at_ns)
{
	double span_ns = 2.0 * (double)path->settings.jitter_ns;

	knot->at_ns = at_ns;
	knot->offset_ns = (int64_t)(throw_dice(&path->jitter_dice) * span_ns) -
			  (int64_t)path->settings.jitter_ns;
}

/* Independent offsets, with order kept, would hold all packets up for the slowest, so that the
 * delay would be delay and jitter, nearly constant. So it wanders. Knots are as far apart as the
 * greatest step, so that nobody has to wait for his predecessor. */
static int64_t jitter_offset_ns(struct path *path, uint64_t at_ns)
{
	uint64_t step_ns = 2 * path->settings.jitter_ns;
	struct path_knot *knots = path->knots;

	if (step_ns == 0)
		return 0;
	if (at_ns >= knots[1].at_ns + step_ns) {
		draw_knot(path, &knots[0], at_ns);
		draw_knot(path, &knots[1], at_ns + step_ns);
	} else if (at_ns >= knots[1].at_ns) {
		knots[0] = knots[1];
		draw_knot(path, &knots[1], knots[0].at_ns + step_ns);
	}
	return knots[0].offset_ns + (int64_t)((double)(knots[1].offset_ns - knots[0].offset_ns) *
					      ((double)(at_ns - knots[0].at_ns) / (double)step_ns));
}

static uint64_t wire_ns(const struct path *path, uint32_t bytes)
{
	if (path->settings.bits_per_s <= 0)
		return 0;
	return (uint64_t)((double)bytes * 8 * NS_PER_S / path->settings.bits_per_s);
}

/* How many of its segments go together now. */
static uint32_t train_length(const struct path *path, const struct path_train *train)
{
	uint64_t segment_ns = wire_ns(path, packet_wire_bytes(train->packet, train->first, 1));
	uint64_t count = segment_ns > 0 ? TRAIN_NS / segment_ns : train->count;

	if (count == 0)
		return 1;
	return count < train->count ? (uint32_t)count : train->count;
}

static uint64_t wire_end_ns(const struct path *path, const struct path_train *train, uint32_t bytes)
{
	uint64_t start_ns = path->wire_free_ns > train->at_ns ? path->wire_free_ns : train->at_ns;

	return start_ns + wire_ns(path, bytes);
}

/* Puts the survivors of a train that was on the wire until end_ns into the delay. */
static void survive(struct path *path, const struct path_train *train, uint32_t count,
		    uint64_t end_ns)
{
	int64_t offset_ns = jitter_offset_ns(path, end_ns);
	uint64_t leave_ns = end_ns + path->settings.delay_ns + (uint64_t)offset_ns;
	struct path_train *last = NULL;

	/* When the delay was just made shorter. */
	if (leave_ns < path->last_leave_ns)
		leave_ns = path->last_leave_ns;
	path->last_leave_ns = leave_ns;
	for (uint32_t segment = train->first; segment < train->first + count; segment++) {
		if (path->settings.loss > 0 && throw_dice(&path->loss_dice) < path->settings.loss) {
			path->counters.lost++;
			last = NULL;
		} else if (last) {
			last->count++;
		} else {
			last = append(&path->delayed, train->packet, segment, 1, leave_ns);
			if (!last)
				path->counters.dropped++;
		}
	}
}

/* Moves what the wire has carried by now into the delay. */
static void carry(struct path *path, uint64_t now_ns)
{
	struct path_train *train;

	while ((train = STAILQ_FIRST(&path->queue))) {
		uint32_t count = train_length(path, train);
		uint32_t bytes = packet_wire_bytes(train->packet, train->first, count);
		uint64_t end_ns = wire_end_ns(path, train, bytes);

		if (end_ns > now_ns)
			return;
		survive(path, train, count, end_ns);
		path->wire_free_ns = end_ns;
		path->queued_bytes -= bytes;
		train->first += count;
		train->count -= count;
		if (train->count == 0) {
			STAILQ_REMOVE_HEAD(&path->queue, next);
			path_free_train(path, train);
		}
	}
}

void path_set(struct path *path, const struct path_settings *settings, uint64_t now_ns)
{
	carry(path, now_ns);
	/* The train on the wire, if there is one, begins again at the new rate. */
	if (settings->bits_per_s != path->settings.bits_per_s && path->wire_free_ns < now_ns)
		path->wire_free_ns = now_ns;
	if (settings->jitter_ns != path->settings.jitter_ns)
		path->knots[0] = path->knots[1] = (struct path_knot){0};
	path->settings = *settings;
}

/* How many segments the queue has room for. It takes one, whatever its limit. */
static uint32_t room(const struct path *path, const struct packet *packet)
{
	uint64_t queued_bytes = path->queued_bytes;
	uint32_t count = 0;

	if (path->held_bytes + charge(packet) > HELD_BYTES_MAX)
		return 0;
	if (path->settings.bits_per_s <= 0)
		return packet->segments;
	for (; count < packet->segments; count++) {
		uint32_t bytes = packet_wire_bytes(packet, count, 1);

		if (queued_bytes > 0 && queued_bytes + bytes > path->settings.queue_bytes)
			break;
		queued_bytes += bytes;
	}
	return count;
}

void path_enter(struct path *path, struct packet *packet, uint64_t now_ns)
{
	uint32_t count;

	carry(path, now_ns);
	count = path->settings.blackhole ? 0 : room(path, packet);
	if (path->settings.blackhole)
		path->counters.swallowed += packet->segments;
	else
		path->counters.dropped += packet->segments - count;
	if (count > 0) {
		if (append(&path->queue, packet, 0, count, now_ns)) {
			path->queued_bytes += packet_wire_bytes(packet, 0, count);
			path->held_bytes += charge(packet);
		} else {
			path->counters.dropped += count;
		}
	}
	packet_release(packet);
}

struct path_train *path_leave(struct path *path, uint64_t now_ns)
{
	struct path_train *train;

	carry(path, now_ns);
	while ((train = STAILQ_FIRST(&path->delayed)) && train->at_ns <= now_ns) {
		STAILQ_REMOVE_HEAD(&path->delayed, next);
		if (!path->settings.blackhole) {
			path->counters.segments += train->count;
			path->counters.bytes +=
				packet_wire_bytes(train->packet, train->first, train->count);
			return train;
		}
		path->counters.swallowed += train->count;
		path_free_train(path, train);
	}
	return NULL;
}

uint64_t path_next_ns(const struct path *path)
{
	const struct path_train *train = STAILQ_FIRST(&path->delayed);
	uint32_t bytes;

	if (train)
		return train->at_ns;
	train = STAILQ_FIRST(&path->queue);
	if (!train)
		return PATH_NEVER;
	bytes = packet_wire_bytes(train->packet, train->first, train_length(path, train));
	return wire_end_ns(path, train, bytes) + path->settings.delay_ns - path->settings.jitter_ns;
}
