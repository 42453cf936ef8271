/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "speed/run_private.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/way.h"

/* Before each measurement: latency while the line is idle, and what others move. */
#define LOOK_S 1.
/* Of the look, without what is still on its way from before. */
#define LOOK_SPAN_S 0.7
/* Conflicts show within this, and so many ticks in a row. */
#define CONFLICT_SPAN_S 0.3
#define CONFLICT_TICKS	4
/* Who is in the way of others tries so often. */
#define TRIES_MAX 3
/* A connection must be there by then, and bytes must move so often. */
#define OPEN_MAX_S  15.
#define STALL_S	    2.5
#define STALL_END_S 1.

__attribute__((format(printf, 2, 3))) static void say(struct speed_runner *r, const char *format,
						      ...)
{
	struct speed_progress *progress = &r->run->progress;
	va_list arguments;

	pthread_mutex_lock(&r->run->lock);
	va_start(arguments, format);
	vsnprintf(progress->doing, sizeof(progress->doing), format, arguments);
	va_end(arguments);
	progress->bytes_per_s = 0;
	pthread_mutex_unlock(&r->run->lock);
}

static void count_own(const struct speed_runner *r, uint64_t out[DIRECTIONS])
{
	uint64_t more[DIRECTIONS];

	memcpy(out, r->closed, sizeof(r->closed));
	for (size_t i = 0; i < SPEED_FLOWS; i++) {
		if (!r->bulk[i])
			continue;
		stream_count(r->bulk[i], more);
		for (enum direction d = UP; d < DIRECTIONS; d++)
			out[d] += more[d];
	}
}

static void close_bulk(struct speed_runner *r)
{
	uint64_t own[DIRECTIONS];

	count_own(r, own);
	memcpy(r->closed, own, sizeof(own));
	for (size_t i = 0; i < SPEED_FLOWS; i++) {
		if (r->bulk[i])
			r->payload += r->bulk[i]->bytes;
		stream_close(r->bulk[i]);
		r->bulk[i] = NULL;
	}
}

/* How far the whole is, by measurements, and within the one that goes on. */
static void note_progress(struct speed_runner *r)
{
	struct speed_progress *progress = &r->run->progress;
	const double length_s = LOOK_S + r->run->plan.seconds;
	const double passed_s = clock_monotonic_s() - r->phase_s;
	const double within = fmin(r->phase_length_s + passed_s, length_s) / length_s;
	const double step = (double)DIRECTIONS * (double)r->subject +
			    (r->direction == DOWN ? 0 : 1) + fmax(within, 0);

	pthread_mutex_lock(&r->run->lock);
	progress->done = step / (double)(DIRECTIONS * progress->result.count);
	progress->bytes_per_s = r->watching ? r->load[r->direction].own : 0;
	progress->result.bytes = r->payload;
	for (size_t i = 0; i < SPEED_FLOWS; i++)
		if (r->bulk[i])
			progress->result.bytes += r->bulk[i]->bytes;
	pthread_mutex_unlock(&r->run->lock);
}

static void look_for_conflict(struct speed_runner *r)
{
	enum speed_conflict conflict;

	if (!r->watching || !speed_watch_rate(&r->watch, CONFLICT_SPAN_S, r->load))
		return;
	conflict = speed_conflict(r->load, r->before, r->direction);
	r->conflict_ticks = conflict == SPEED_ALONE ? 0 : r->conflict_ticks + 1;
	if (r->conflict_ticks >= CONFLICT_TICKS)
		r->conflict = conflict;
}

void speed_on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct speed_runner *r = timer->data;
	uint64_t own[DIRECTIONS];

	(void)loop;
	(void)events;
	if (r->echo)
		stream_ask_echo(r->echo);
	for (size_t i = 0; i < SPEED_FLOWS; i++)
		if (r->bulk[i])
			stream_take_sample(r->bulk[i]);
	count_own(r, own);
	speed_watch_look(&r->watch, clock_monotonic_s(), own);
	look_for_conflict(r);
	note_progress(r);
}

/* Has the loop turn until done() says so, or for so long. False: not done. */
static bool turn(struct speed_runner *r, double s, bool (*done)(const struct speed_runner *r))
{
	const double until_s = clock_monotonic_s() + s;

	r->phase_s = clock_monotonic_s();
	while (!speed_stopped(r) && !(done && done(r)) && clock_monotonic_s() < until_s)
		ev_run(r->run->loop, EVRUN_ONCE);
	return done && done(r);
}

static bool is_opened(const struct stream *stream)
{
	return stream->state != STREAM_OPENING;
}

static bool echo_is_opened(const struct speed_runner *r)
{
	return is_opened(r->echo);
}

static bool echo_is_over(const struct speed_runner *r)
{
	return r->echo->state == STREAM_ENDED;
}

static bool bulk_is_opened(const struct speed_runner *r)
{
	for (size_t i = 0; i < SPEED_FLOWS; i++)
		if (!is_opened(r->bulk[i]))
			return false;
	return true;
}

static double last_moved_s(const struct speed_runner *r)
{
	double last_s = 0;

	for (size_t i = 0; i < SPEED_FLOWS; i++)
		last_s = fmax(last_s, r->bulk[i]->moved_s);
	return last_s;
}

/* Before its time. */
static bool bulk_is_over(const struct speed_runner *r)
{
	for (size_t i = 0; i < SPEED_FLOWS; i++)
		if (r->bulk[i]->state == STREAM_ENDED)
			return true;
	return r->conflict != SPEED_ALONE || r->echo->state == STREAM_ENDED ||
	       clock_monotonic_s() - last_moved_s(r) > STALL_S;
}

/* A stream that did not open, or ended early. */
static enum speed_outcome fault_of(struct speed_runner *r, const struct stream *stream)
{
	struct speed_row *row = speed_row_of(r);

	if (stream->state != STREAM_ENDED || stream->fault == STREAM_NO_FAULT) {
		snprintf(row->said, sizeof(row->said), "exit %s %s", r->env.exit->name,
			 stream->state == STREAM_ENDED ? "ended the test" : "does not answer");
		/* Asked again, it says why it did. */
		return stream->state == STREAM_ENDED ? SPEED_AGAIN : SPEED_NO_WAY;
	}
	memcpy(row->said, stream->said, sizeof(row->said));
	return stream->fault == STREAM_REFUSED ? SPEED_NOTHING : SPEED_NO_WAY;
}

static struct stream *open_stream(struct speed_runner *r, enum speed_kind kind,
				  unsigned int seconds)
{
	const struct speed_subject *subject = speed_subject_of(r);

	return stream_open(&r->env, kind, seconds, subject->together ? NULL : &subject->link);
}

static enum speed_outcome no_memory(struct speed_runner *r)
{
	snprintf(speed_row_of(r)->said, sizeof(speed_row_of(r)->said), "out of memory");
	return SPEED_NOTHING;
}

/* Where no links are set up, the test leaves by the interface of the default route. */
static void find_devices(struct speed_runner *r)
{
	const struct speed_subject *subject = speed_subject_of(r);
	struct speed_watch *watch = &r->watch;
	union address exit;
	socklen_t len = sizeof(exit);
	int device;

	watch->device_count = 0;
	if (!subject->together)
		watch->devices[watch->device_count++] = subject->link.device;
	for (size_t i = 0; subject->together && i < r->picker.choices.count; i++)
		watch->devices[watch->device_count++] = r->picker.choices.links[i].device;
	if (watch->device_count > 0 || getpeername(r->echo->fd, &exit.sa, &len))
		return;
	device = route_find_default(r->picker.routes, &exit);
	if (device > 0)
		watch->devices[watch->device_count++] = device;
}

/* Latency, and what others move. */
static enum speed_outcome look(struct speed_runner *r)
{
	struct speed_load load[DIRECTIONS] = {{0}};

	speed_watch_begin(&r->watch);
	if (turn(r, LOOK_S, echo_is_over))
		return fault_of(r, r->echo);
	(void)speed_watch_rate(&r->watch, LOOK_SPAN_S, load);
	for (enum direction d = UP; d < DIRECTIONS; d++)
		r->before[d] = load[d].others_least;
	return SPEED_MEASURED;
}

static const char *subject_name(const struct speed_runner *r)
{
	return speed_subject_of(r)->together ? "all together" : speed_subject_of(r)->link.name;
}

static const char *direction_name(const struct speed_runner *r)
{
	return r->direction == DOWN ? "download" : "upload";
}

/* All that moved from the time on that counts, and what an exchange took meanwhile. */
static enum speed_outcome evaluate(struct speed_runner *r, size_t latencies_before)
{
	const double skip_s = speed_skip_s(r->run->plan.seconds);
	struct speed_figure figure = {.measured = true};
	struct speed_load load[DIRECTIONS];

	for (size_t i = 0; i < SPEED_FLOWS; i++)
		figure.bytes_per_s +=
			speed_rate(r->bulk[i]->samples, r->bulk[i]->sample_count, skip_s);
	if (speed_watch_rate(&r->watch, r->run->plan.seconds - skip_s, load))
		figure.others_per_s = load[r->direction].others_least;
	if (latencies_before < r->echo->latency_count)
		figure.latency = speed_latency_of(r->echo->latencies_ms + latencies_before,
						  r->echo->latency_count - latencies_before);
	if (figure.bytes_per_s == 0 || clock_monotonic_s() - last_moved_s(r) > STALL_END_S) {
		snprintf(speed_row_of(r)->said, sizeof(speed_row_of(r)->said),
			 "%s: nothing moves any more; is the link lost?", direction_name(r));
		return SPEED_NO_WAY;
	}
	speed_row_of(r)->figures[r->direction] = figure;
	return SPEED_MEASURED;
}

/* Why it ended early. */
static enum speed_outcome judge_end(struct speed_runner *r)
{
	double now[DIRECTIONS];
	struct speed_load then[DIRECTIONS];
	enum speed_outcome outcome;

	for (size_t i = 0; i < SPEED_FLOWS; i++)
		if (r->bulk[i]->state == STREAM_ENDED)
			return fault_of(r, r->bulk[i]);
	if (r->echo->state == STREAM_ENDED)
		return fault_of(r, r->echo);
	if (r->conflict == SPEED_ALONE) {
		snprintf(speed_row_of(r)->said, sizeof(speed_row_of(r)->said),
			 "%s: nothing moves any more; is the link lost?", direction_name(r));
		return SPEED_NO_WAY;
	}
	if (r->conflict == SPEED_JOINED)
		return SPEED_AGAIN;
	/* It may be by themselves that others move less. */
	memcpy(then, r->load, sizeof(then));
	r->watching = false;
	close_bulk(r);
	say(r, "%s: %s: waits for others", subject_name(r), direction_name(r));
	outcome = look(r);
	if (outcome != SPEED_MEASURED)
		return outcome;
	memcpy(now, r->before, sizeof(now));
	return speed_recovered(now, then) ? SPEED_IN_WAY : SPEED_AGAIN;
}

static enum speed_outcome move(struct speed_runner *r)
{
	const unsigned int seconds = r->run->plan.seconds;
	const double skip_s = speed_skip_s(seconds);
	const enum speed_kind kind = r->direction == DOWN ? SPEED_SOURCE : SPEED_SINK;
	size_t latencies;

	for (size_t i = 0; i < SPEED_FLOWS; i++) {
		r->bulk[i] = open_stream(r, kind, seconds + (unsigned int)OPEN_MAX_S);
		if (!r->bulk[i])
			return no_memory(r);
	}
	r->phase_length_s = LOOK_S;
	if (!turn(r, OPEN_MAX_S, bulk_is_opened)) {
		for (size_t i = 0; i < SPEED_FLOWS; i++)
			if (!is_opened(r->bulk[i]))
				return fault_of(r, r->bulk[i]);
	}
	for (size_t i = 0; i < SPEED_FLOWS; i++)
		if (r->bulk[i]->state == STREAM_ENDED)
			return fault_of(r, r->bulk[i]);
	say(r, "%s: %s", subject_name(r), direction_name(r));
	r->watching = true;
	if (turn(r, skip_s, bulk_is_over))
		return judge_end(r);
	r->phase_length_s += skip_s;
	latencies = r->echo->latency_count;
	if (turn(r, seconds - skip_s, bulk_is_over))
		return judge_end(r);
	return speed_stopped(r) ? SPEED_NOTHING : evaluate(r, latencies);
}

static enum speed_outcome attempt(struct speed_runner *r, bool first)
{
	const unsigned int seconds =
		2 * (unsigned int)LOOK_S + (unsigned int)OPEN_MAX_S + r->run->plan.seconds;
	enum speed_outcome outcome;

	r->conflict = SPEED_ALONE;
	r->conflict_ticks = 0;
	r->phase_length_s = 0;
	r->echo = open_stream(r, SPEED_ECHO, seconds);
	if (!r->echo)
		return no_memory(r);
	say(r, "%s: latency", subject_name(r));
	(void)turn(r, OPEN_MAX_S, echo_is_opened);
	if (r->echo->state != STREAM_RUNNING)
		return speed_stopped(r) ? SPEED_NOTHING : fault_of(r, r->echo);
	r->run->progress.result.left = r->echo->left;
	find_devices(r);
	outcome = look(r);
	if (outcome != SPEED_MEASURED)
		return outcome;
	if (first)
		speed_row_of(r)->idle =
			speed_latency_of(r->echo->latencies_ms, r->echo->latency_count);
	r->echo->latency_count = 0;
	return speed_stopped(r) ? SPEED_NOTHING : move(r);
}

enum speed_outcome speed_measure(struct speed_runner *r, enum direction direction)
{
	enum speed_outcome outcome = SPEED_AGAIN;

	r->direction = direction;
	for (int i = 0; outcome == SPEED_AGAIN && i < TRIES_MAX && !speed_stopped(r); i++) {
		outcome = attempt(r, direction == DOWN && i == 0);
		r->watching = false;
		close_bulk(r);
		stream_close(r->echo);
		r->echo = NULL;
	}
	if (speed_stopped(r)) {
		speed_row_of(r)->said[0] = '\0';
		return SPEED_NOTHING;
	}
	if (outcome == SPEED_IN_WAY || (outcome == SPEED_AGAIN && r->conflict != SPEED_ALONE)) {
		speed_row_of(r)->figures[direction].yielded = true;
		/* A download that an upload holds up is none of its direction. */
		speed_row_of(r)->figures[direction].others_per_s =
			fmax(r->before[UP], r->before[DOWN]);
		outcome = SPEED_MEASURED;
	}
	if (outcome == SPEED_MEASURED)
		speed_row_of(r)->said[0] = '\0';
	return outcome;
}
