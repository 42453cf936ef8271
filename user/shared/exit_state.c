/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a router knows of one exit. */
#include "shared/exit_state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

/* Between two probes of an exit that is down. */
#define PROBE_DOWN_S 1.
/* So many answers in a row bring an exit up again: more for one that went down soon after it had
 * come up. */
#define ANSWERS_MIN 2
#define ANSWERS_MAX 16
#define FLAPPING_S  60.
/* As TCP smooths its round-trip time (RFC 6298). */
#define RTT_SHARE 0.125

/* Between two probes of an address that is avoided, and until it is forgotten. */
#define PROBE_AVOIDED_S 3.
#define FORGET_S	600.

/* Without Fast Open, after a path has dropped what came with it. */
#define NOT_EARLY_S 3600.

struct avoided {
	union address address;
	double since_s;
	double probe_s;	      /* the last one */
	unsigned int answers; /* in a row */
};

struct exit_state {
	atomic_uint references;
	_Atomic double early_s; /* from then on with Fast Open */
	_Atomic int64_t clock_offset_ms;
	atomic_bool name_late;
	struct episode full;
	pthread_mutex_t lock; /* of all below; taken a few times for each session's opening */
	struct exit_facts facts;
	unsigned int answers;			     /* in a row, while down */
	unsigned int answers_needed;		     /* to be up */
	double up_s;				     /* since when */
	double answer_s;			     /* the last one */
	double probe_s;				     /* the last one */
	union address addresses[EXIT_ADDRESSES_MAX]; /* IPv4, IPv6; AF_UNSPEC: unknown */
	struct avoided avoided[EXIT_AVOIDED_MAX];
	size_t avoided_count;
};

struct exit_state *exit_state_new(void)
{
	struct exit_state *exit = calloc(1, sizeof(*exit));

	if (!exit)
		return NULL;
	pthread_mutex_init(&exit->lock, NULL);
	exit->full = (struct episode)EPISODE_INITIALIZER;
	atomic_init(&exit->references, 1);
	exit->answers_needed = ANSWERS_MIN;
	return exit;
}

struct exit_state *exit_state_get(struct exit_state *exit)
{
	atomic_fetch_add(&exit->references, 1);
	return exit;
}

void exit_state_put(struct exit_state *exit)
{
	if (!exit || atomic_fetch_sub(&exit->references, 1) != 1)
		return;
	pthread_mutex_destroy(&exit->lock);
	free(exit);
}

bool exit_state_is_usable(struct exit_state *exit)
{
	bool usable;

	pthread_mutex_lock(&exit->lock);
	usable = exit->facts.state != EXIT_DOWN;
	pthread_mutex_unlock(&exit->lock);
	return usable;
}

double exit_state_answered(struct exit_state *exit, double rtt_s, double now_s)
{
	struct exit_facts *facts = &exit->facts;
	double down_s = 0;

	pthread_mutex_lock(&exit->lock);
	facts->rtt_s += facts->rtt_s > 0 ? (rtt_s - facts->rtt_s) * RTT_SHARE : rtt_s;
	exit->answer_s = now_s;
	exit->answers++;
	if (facts->state == EXIT_UNTRIED ||
	    (facts->state == EXIT_DOWN && exit->answers >= exit->answers_needed)) {
		if (facts->state == EXIT_DOWN)
			down_s = now_s - facts->down_s;
		facts->state = EXIT_UP;
		exit->up_s = now_s;
	}
	pthread_mutex_unlock(&exit->lock);
	return down_s;
}

struct episode *exit_state_full(struct exit_state *exit)
{
	return &exit->full;
}

static void go_down(struct exit_state *exit, double now_s)
{
	const bool flapping = exit->facts.state == EXIT_UP && now_s - exit->up_s < FLAPPING_S;
	const bool again = exit->answers_needed > ANSWERS_MIN || exit->facts.failures > 1;

	if (!flapping)
		exit->answers_needed = ANSWERS_MIN;
	else if (again && exit->answers_needed < ANSWERS_MAX)
		exit->answers_needed *= 2;
	exit->facts.state = EXIT_DOWN;
	exit->facts.down_s = now_s;
}

bool exit_state_failed(struct exit_state *exit, enum cause cause, double started_s, double now_s)
{
	struct exit_facts *facts = &exit->facts;
	bool goes_down;

	pthread_mutex_lock(&exit->lock);
	facts->failures++;
	facts->last_failure = cause;
	facts->last_failure_s = now_s;
	/* An attempt may fail by itself, by a few lost packets. */
	goes_down = facts->state != EXIT_DOWN && exit->answer_s <= started_s;
	if (goes_down)
		go_down(exit, now_s);
	if (facts->state == EXIT_DOWN)
		exit->answers = 0;
	pthread_mutex_unlock(&exit->lock);
	return goes_down;
}

int64_t exit_state_clock_offset_ms(struct exit_state *exit)
{
	return atomic_load(&exit->clock_offset_ms);
}

void exit_state_set_clock_offset_ms(struct exit_state *exit, int64_t offset_ms)
{
	atomic_store(&exit->clock_offset_ms, offset_ms);
}

void exit_state_lost_early(struct exit_state *exit, double now_s)
{
	atomic_store(&exit->early_s, now_s + NOT_EARLY_S);
}

bool exit_state_takes_early(struct exit_state *exit, double now_s)
{
	return now_s >= atomic_load(&exit->early_s);
}

void exit_state_begin(struct exit_state *exit)
{
	exit_state_get(exit);
	pthread_mutex_lock(&exit->lock);
	exit->facts.sessions++;
	exit->facts.sessions_total++;
	pthread_mutex_unlock(&exit->lock);
}

void exit_state_end(struct exit_state *exit)
{
	pthread_mutex_lock(&exit->lock);
	exit->facts.sessions--;
	pthread_mutex_unlock(&exit->lock);
	exit_state_put(exit);
}

bool exit_state_wants_probe(struct exit_state *exit, double idle_s, double now_s)
{
	double every_s = idle_s;
	bool wants;

	pthread_mutex_lock(&exit->lock);
	if (exit->facts.state == EXIT_DOWN)
		every_s = PROBE_DOWN_S;
	wants = now_s - exit->probe_s >= every_s &&
		(exit->facts.state != EXIT_UP || now_s - exit->answer_s >= idle_s);
	if (exit->facts.state == EXIT_UNTRIED && exit->facts.probes == 0)
		wants = true;
	if (wants) {
		exit->probe_s = now_s;
		exit->facts.probes++;
	}
	pthread_mutex_unlock(&exit->lock);
	return wants;
}

void exit_state_describe(struct exit_state *exit, struct exit_facts *out)
{
	pthread_mutex_lock(&exit->lock);
	*out = exit->facts;
	out->clock_offset_ms = exit_state_clock_offset_ms(exit);
	/* It is that to our clock as it was at the start. */
	if (out->clock_offset_ms != 0)
		out->clock_offset_ms += (int64_t)clock_now_ms() - (int64_t)clock_calendar_ms();
	out->full_s = episode_since_s(&exit->full);
	for (size_t i = 0; i < exit->avoided_count; i++)
		out->avoided[i] = exit->avoided[i].address;
	out->avoided_count = exit->avoided_count;
	pthread_mutex_unlock(&exit->lock);
}

const char *exit_state_name(enum exit_health state)
{
	static const char *const names[] = {
		[EXIT_UNTRIED] = "untried",
		[EXIT_UP] = "up",
		[EXIT_DOWN] = "down",
	};

	return names[state];
}

static struct avoided *find_avoided(struct exit_state *exit, const union address *address)
{
	for (size_t i = 0; i < exit->avoided_count; i++)
		if (address_same_ip(&exit->avoided[i].address, address))
			return &exit->avoided[i];
	return NULL;
}

static void forget(struct exit_state *exit, struct avoided *avoided)
{
	*avoided = exit->avoided[--exit->avoided_count];
}

bool exit_state_avoid(struct exit_state *exit, const union address *address, double now_s)
{
	struct avoided *avoided;
	bool is_new;

	pthread_mutex_lock(&exit->lock);
	avoided = find_avoided(exit, address);
	is_new = !avoided && exit->avoided_count < EXIT_AVOIDED_MAX;
	if (avoided)
		avoided->answers = 0;
	else if (is_new)
		exit->avoided[exit->avoided_count++] =
			(struct avoided){.address = *address, .since_s = now_s, .probe_s = now_s};
	pthread_mutex_unlock(&exit->lock);
	return is_new;
}

bool exit_state_avoids(struct exit_state *exit, const union address *address)
{
	bool avoids;

	pthread_mutex_lock(&exit->lock);
	avoids = find_avoided(exit, address) != NULL;
	pthread_mutex_unlock(&exit->lock);
	return avoids;
}

bool exit_state_wants_avoided_probe(struct exit_state *exit, double now_s, union address *out)
{
	bool wants = false;

	pthread_mutex_lock(&exit->lock);
	for (size_t i = exit->avoided_count; i-- > 0 && !wants;) {
		struct avoided *avoided = &exit->avoided[i];

		if (now_s - avoided->since_s >= FORGET_S) {
			forget(exit, avoided);
		} else if (now_s - avoided->probe_s >= PROBE_AVOIDED_S) {
			avoided->probe_s = now_s;
			*out = avoided->address;
			exit->facts.probes++;
			wants = true;
		}
	}
	pthread_mutex_unlock(&exit->lock);
	return wants;
}

/* At once when it is all that there is. */
static void take_answer_at(struct exit_state *exit, struct avoided *avoided)
{
	if (++avoided->answers >= ANSWERS_MIN || exit->facts.state == EXIT_DOWN)
		forget(exit, avoided);
}

void exit_state_set_address(struct exit_state *exit, const union address *address)
{
	union address *slot = &exit->addresses[address->sa.sa_family == AF_INET6];
	struct avoided *avoided;

	pthread_mutex_lock(&exit->lock);
	avoided = find_avoided(exit, address);
	if (avoided)
		take_answer_at(exit, avoided);
	*slot = *address;
	address_set_port(slot, 0);
	pthread_mutex_unlock(&exit->lock);
}

size_t exit_state_get_addresses(struct exit_state *exit, union address out[EXIT_ADDRESSES_MAX])
{
	size_t count = 0;

	pthread_mutex_lock(&exit->lock);
	for (size_t i = 0; i < EXIT_ADDRESSES_MAX; i++)
		if (exit->addresses[i].sa.sa_family != AF_UNSPEC)
			out[count++] = exit->addresses[i];
	pthread_mutex_unlock(&exit->lock);
	return count;
}

void exit_state_set_name_late(struct exit_state *exit, bool late)
{
	atomic_store(&exit->name_late, late);
}

bool exit_state_name_is_late(struct exit_state *exit)
{
	return atomic_load(&exit->name_late);
}
