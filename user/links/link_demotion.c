/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a link lowers the sum. Nothing but a trial can tell: how much the others would carry
 * alone shows in no figure. What leads to one only has to keep trials rare and cheap. */
#include "links/link_demotion.h"

#include <stdlib.h>
#include <string.h>

/* Suspect: so much slower to answer than the quickest. */
#define SLOWER	    3
#define SLOW_RTT_US 100000
/* The same where the others alone have carried more than all do now. */
#define SLOWER_MISSED	   2
#define SLOW_RTT_MISSED_US 50000
/* But for less than this share of it: then it is what is asked for that has become less. */
#define MISSED_MIN   0.1
#define BEST_HOLDS_S 600.
/* Or where others stand idle until its bytes come: found by so many looks, of 25 in a second. */
#define AWAITED_MIN 3
#define RTT_HOLDS_S 5.
/* In so many round trips a subflow finds its rate, and until then its losses hold up the others. */
#define SETTLED_RTTS 20
/* It carries at most this share, which is what a trial in vain costs for as long as it lasts,
 * unless more is missed. */
#define SHARE_MAX 0.2
/* A link whose rate has grown so within the seconds of judgement is still finding its rate. */
#define GROWING 2.
/* With less going on nobody is held up. */
#define BUSY_RATE 125000.
/* What is under way on the link when a trial begins arrives, and the others grow. */
#define SETTLE_S      2.
#define TRIAL_SECONDS 3
/* So much more than before it they must carry in the trial. */
#define GAIN_MIN 1.1
/* Trials in vain become rarer, and one that is demoted again stays so for longer. */
#define PAUSE_MIN_S 30.
#define PAUSE_MAX_S 960.
/* Of that, where more is missed: a trial in vain has told what the others carry, so the next one
 * has a reason of its own. */
#define PAUSE_MISSED (1 / 6.)
#define HOLD_MIN_S   60.
#define HOLD_MAX_S   960.
/* One that answers in half the time again, so often in a row, comes back before that. */
#define QUICK_MIN 3

static struct link_demotion_entry *entry_of(struct link_demotion *demotion, const struct link *link)
{
	struct link_demotion_entry *entry = &demotion->entries[link_slot(link->table)];

	/* Another link, or another modem. */
	if (entry->device != link->device)
		*entry = (struct link_demotion_entry){.device = link->device};
	return entry;
}

static bool works(const struct link *link)
{
	return link->paths[IP_V4].works || link->paths[IP_V6].works;
}

static bool is_in_use(const struct link *link)
{
	return works(link) && !link_is_backup(link);
}

/* Whether each family that this link works in has another that connections use. */
static bool can_be_spared(const struct link *link, const struct link *links, size_t count)
{
	for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
		bool other = !link->paths[family].works;

		for (size_t i = 0; i < count && !other; i++)
			other = &links[i] != link && links[i].paths[family].works &&
				!link_is_backup(&links[i]);
		if (!other)
			return false;
	}
	return true;
}

/* A burst that lasts no longer than a second is none. */
static void take_best(struct link_demotion_entry *entry, double now_s)
{
	const double *last = &entry->rates[LINK_DEMOTION_SECONDS - 2];
	const double kept_up = last[0] < last[1] ? last[0] : last[1];

	if (kept_up < entry->best && now_s - entry->best_at_s < BEST_HOLDS_S)
		return;
	entry->best = kept_up;
	entry->best_at_s = now_s;
}

static void take(struct link_demotion_entry *entry, double now_s, const struct link_sight *sight)
{
	memmove(entry->rates, entry->rates + 1, sizeof(entry->rates) - sizeof(entry->rates[0]));
	entry->rates[LINK_DEMOTION_SECONDS - 1] = sight->rate;
	take_best(entry, now_s);
	memmove(entry->awaited, entry->awaited + 1,
		sizeof(entry->awaited) - sizeof(entry->awaited[0]));
	entry->awaited[LINK_DEMOTION_SECONDS - 1] = sight->awaited >= AWAITED_MIN;
	if (entry->seconds < LINK_DEMOTION_SECONDS)
		entry->seconds++;
	if (sight->rtt_us > 0) {
		if (entry->rtt_us == 0)
			entry->moves_since_s = now_s;
		entry->rtt_us = sight->rtt_us;
		entry->rtt_at_s = now_s;
	} else if (now_s - entry->rtt_at_s > RTT_HOLDS_S) {
		entry->rtt_us = 0;
	}
}

static double mean_rate(const struct link_demotion_entry *entry)
{
	double sum = 0;

	for (size_t i = 0; i < LINK_DEMOTION_SECONDS; i++)
		sum += entry->rates[i];
	return sum / LINK_DEMOTION_SECONDS;
}

static bool is_growing(const struct link_demotion_entry *entry)
{
	const double *rates = entry->rates;
	const size_t last = LINK_DEMOTION_SECONDS - 1;

	return rates[last] + rates[last - 1] > (rates[0] + rates[1]) * GROWING;
}

static double double_up(double value, double least, double most)
{
	value = value < least ? least : value * 2;
	return value < most ? value : most;
}

static bool is_settled(const struct link_demotion_entry *entry, double now_s)
{
	return (now_s - entry->moves_since_s) * 1e6 >= (double)entry->rtt_us * SETTLED_RTTS;
}

static int compare_rates(const void *a, const void *b)
{
	const double *rates[] = {a, b};

	return (*rates[0] > *rates[1]) - (*rates[0] < *rates[1]);
}

/* What all links in use carry together. */
struct pace {
	double usual; /* of the seconds of judgement the middle one */
	double most;  /* what is to be surpassed without a link */
};

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* A loss on the slow link can hold up all for two seconds; and who fetches in bursts stands idle
 * for most of them, so that the middle one alone tells nothing. */
static struct pace pace_of(struct link_demotion *demotion, const struct link *links, size_t count)
{
	double sums[LINK_DEMOTION_SECONDS] = {0};
	double mean = 0;
	double last;

	for (size_t i = 0; i < count; i++)
		for (size_t second = 0; is_in_use(&links[i]) && second < LINK_DEMOTION_SECONDS;
		     second++)
			sums[second] += entry_of(demotion, &links[i])->rates[second];
	for (size_t second = 0; second < LINK_DEMOTION_SECONDS; second++)
		mean += sums[second] / LINK_DEMOTION_SECONDS;
	last = sums[LINK_DEMOTION_SECONDS - 1];
	qsort(sums, LINK_DEMOTION_SECONDS, sizeof(sums[0]), compare_rates);
	return (struct pace){.usual = sums[LINK_DEMOTION_SECONDS / 2],
			     .most = larger(larger(sums[LINK_DEMOTION_SECONDS / 2], last), mean)};
}

/* What the links in use are, beside one of them. */
struct others {
	uint32_t quickest_us; /* of all; UINT32_MAX: nothing moves */
	double best;	      /* without it */
	double mean;	      /* of all */
	bool known;	      /* each for LINK_DEMOTION_SECONDS */
};

static struct others look_at_others(struct link_demotion *demotion, const struct link *link,
				    const struct link *links, size_t count)
{
	struct others others = {.quickest_us = UINT32_MAX, .known = true};

	for (size_t i = 0; i < count; i++) {
		const struct link_demotion_entry *entry = entry_of(demotion, &links[i]);

		if (!is_in_use(&links[i]))
			continue;
		others.known = others.known && entry->seconds == LINK_DEMOTION_SECONDS;
		others.mean += mean_rate(entry);
		others.best += &links[i] == link ? 0 : entry->best;
		if (entry->rtt_us > 0 && entry->rtt_us < others.quickest_us)
			others.quickest_us = entry->rtt_us;
	}
	return others;
}

/* Whether the others alone have carried more than all do now. */
static bool is_missed(double best, struct pace pace)
{
	return pace.most * GAIN_MIN <= best && pace.usual >= best * MISSED_MIN;
}

static bool is_awaited(const struct link_demotion_entry *entry)
{
	size_t count = 0;

	for (size_t i = 0; i < LINK_DEMOTION_SECONDS; i++)
		count += entry->awaited[i];
	return count > LINK_DEMOTION_SECONDS / 2;
}

static bool is_suspect(struct link_demotion *demotion, double now_s, const struct link *link,
		       const struct link *links, size_t count)
{
	const struct link_demotion_entry *entry = entry_of(demotion, link);
	struct others others;

	if (link->config.no_demote || !is_in_use(link) || entry->rtt_us == 0 ||
	    !is_settled(entry, now_s) || is_growing(entry) || !can_be_spared(link, links, count))
		return false;
	others = look_at_others(demotion, link, links, count);
	if (!others.known || others.mean < BUSY_RATE)
		return false;
	if (now_s >= entry->until_s && entry->rtt_us >= SLOW_RTT_US &&
	    entry->rtt_us / SLOWER >= others.quickest_us &&
	    mean_rate(entry) <= others.mean * SHARE_MAX)
		return true;
	if (entry->rtt_us < SLOW_RTT_MISSED_US ||
	    entry->rtt_us / SLOWER_MISSED < others.quickest_us)
		return false;
	return (now_s >= entry->until_s && is_awaited(entry)) ||
	       (now_s >= entry->until_s - entry->pause_s * (1 - PAUSE_MISSED) &&
		is_missed(others.best, pace_of(demotion, links, count)));
}

static void begin_trial(struct link_demotion *demotion, double now_s, size_t index,
			const struct link *links, const struct link_sight *sights, size_t count)
{
	struct link_demotion_entry *entry = entry_of(demotion, &links[index]);

	/* What was found long ago says nothing of how it is now. */
	if (now_s - entry->until_s > entry->pause_s)
		entry->pause_s = 0;
	if (now_s - entry->until_s > entry->hold_s)
		entry->hold_s = 0;
	entry->sums = (struct link_sums){.with = pace_of(demotion, links, count).most};
	entry->phase = LINK_DEMOTION_TRIAL;
	entry->since_s = now_s;
	entry->trial_seconds = 0;
	/* A full queue makes echoes late. */
	entry->ping_us =
		sights[index].ping_us < entry->rtt_us ? sights[index].ping_us : entry->rtt_us;
	entry->quick = 0;
}

/* Its own history begins anew, so that what it does after this is judged by itself. */
static void come_back(struct link_demotion_entry *entry, double until_s)
{
	entry->phase = LINK_DEMOTION_NONE;
	entry->until_s = until_s;
	entry->seconds = 0;
}

void link_demotion_forget(struct link_demotion *demotion)
{
	for (size_t i = 0; i < LINKS_MAX; i++) {
		struct link_demotion_entry *entry = &demotion->entries[i];

		if (entry->phase == LINK_DEMOTION_TRIAL)
			entry->phase = LINK_DEMOTION_NONE;
		entry->seconds = 0;
	}
}

/* What the others carry without the link, as the seconds of its trial have shown. */
static void learn_best(struct link_demotion *demotion, double now_s, const struct link *links,
		       size_t count, unsigned int seconds)
{
	for (size_t i = 0; i < count; i++) {
		struct link_demotion_entry *entry = entry_of(demotion, &links[i]);

		if (!is_in_use(&links[i]))
			continue;
		entry->best = 0;
		entry->best_at_s = now_s;
		for (size_t second = LINK_DEMOTION_SECONDS - seconds;
		     second < LINK_DEMOTION_SECONDS; second++)
			if (entry->rates[second] > entry->best)
				entry->best = entry->rates[second];
	}
}

/* Every second must be as good as with it, and all together better: one that dips, as where BBR
 * asks for the round-trip time, is no proof against the link's guilt, and a burst no proof for it.
 */
static bool go_on_with_trial(struct link_demotion *demotion, struct link_demotion_entry *entry,
			     double now_s, double sum, const struct link *links, size_t count)
{
	struct link_sums *sums = &entry->sums;

	if (now_s - entry->since_s <= SETTLE_S)
		return false;
	sums->without += sum / TRIAL_SECONDS;
	if (++entry->trial_seconds < TRIAL_SECONDS && sum >= sums->with)
		return false;
	if (sum < sums->with || sums->without < sums->with * GAIN_MIN) {
		learn_best(demotion, now_s, links, count, entry->trial_seconds);
		entry->pause_s = double_up(entry->pause_s, PAUSE_MIN_S, PAUSE_MAX_S);
		come_back(entry, now_s + entry->pause_s);
		return true;
	}
	entry->phase = LINK_DEMOTION_HELD;
	entry->since_s = now_s;
	entry->pause_s = 0;
	entry->hold_s = double_up(entry->hold_s, HOLD_MIN_S, HOLD_MAX_S);
	entry->until_s = now_s + entry->hold_s;
	return true;
}

static bool go_on_holding(struct link_demotion_entry *entry, double now_s,
			  const struct link_sight *sight)
{
	if (sight->ping_us > 0)
		entry->quick = sight->ping_us < entry->ping_us / 2 ? entry->quick + 1 : 0;
	if (entry->quick >= QUICK_MIN)
		entry->hold_s = 0;
	else if (now_s < entry->until_s)
		return false;
	come_back(entry, now_s);
	return true;
}

bool link_demotion_look(struct link_demotion *demotion, double now_s, const struct link *links,
			const struct link_sight *sights, size_t count)
{
	bool changed = false;
	bool on_trial = false;
	double sum = 0;

	for (size_t i = 0; i < count; i++) {
		struct link_demotion_entry *entry = entry_of(demotion, &links[i]);

		take(entry, now_s, &sights[i]);
		sum += works(&links[i]) ? sights[i].rate : 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct link_demotion_entry *entry = entry_of(demotion, &links[i]);

		if (entry->phase == LINK_DEMOTION_HELD)
			changed = go_on_holding(entry, now_s, &sights[i]) || changed;
		else if (entry->phase == LINK_DEMOTION_TRIAL)
			changed = go_on_with_trial(demotion, entry, now_s, sum, links, count) ||
				  changed;
		on_trial = on_trial || entry->phase == LINK_DEMOTION_TRIAL;
	}
	for (size_t i = 0; i < count && !on_trial && !changed; i++) {
		if (!is_suspect(demotion, now_s, &links[i], links, count))
			continue;
		begin_trial(demotion, now_s, i, links, sights, count);
		changed = on_trial = true;
	}
	return changed;
}

void link_demotion_mark(struct link_demotion *demotion, struct link *links, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct link_demotion_entry *entry = entry_of(demotion, &links[i]);

		if (entry->phase == LINK_DEMOTION_NONE)
			continue;
		if (links[i].config.no_demote || !is_in_use(&links[i]) ||
		    !can_be_spared(&links[i], links, count)) {
			come_back(entry, 0.);
			continue;
		}
		links[i].state =
			entry->phase == LINK_DEMOTION_TRIAL ? LINK_STATE_TRIAL : LINK_STATE_DEMOTED;
		links[i].sums = entry->sums;
	}
}
