/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metered links and quotas. */
#include "links/link_quota.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text_saver.h"
#include "links/quota_file.h"

/* So much of what the others can carry is all of it: users give the speed that they were sold. */
#define FULL_SHARE 0.9
/* For so long before a metered link joins, and not for so long before it rests again. */
#define FULL_S	3
#define LEAVE_S 10.
/* The file is written when so much of the quota has been used since: flash wears out. */
#define SAVE_SHARE 1000

struct entry {
	char name[LINK_NAME_MAX + 1];
	uint64_t quota;
	struct quota_usage usage;
	struct quota_usage saved;
};

struct link_quota {
	struct quota_file *file;
	struct text_saver *saver;
	char *state_dir;
	int save_error; /* that was told of */
	struct entry entries[LINKS_MAX];
	size_t count;
	unsigned int full_s; /* seconds in a row */
	bool joined;
	bool tested;	 /* a speed test goes on */
	double needed_s; /* when it was the last time */
};

static void on_saved(void *owner, const char *directory, int err)
{
	struct link_quota *metered = owner;

	if (err && err != metered->save_error)
		log_warning("quota: cannot write to %s: %s; a restart will forget what links have "
			    "used",
			    directory, strerror(-err));
	metered->save_error = err;
}

struct link_quota *link_quota_open(struct ev_loop *loop)
{
	struct link_quota *metered = calloc(1, sizeof(*metered));

	if (!metered)
		return NULL;
	metered->needed_s = -LEAVE_S;
	metered->saver = text_saver_open(loop, QUOTA_FILE_NAME, on_saved, metered);
	if (metered->saver)
		return metered;
	free(metered);
	return NULL;
}

static void save(struct link_quota *metered, struct entry *entry)
{
	if (!metered->file || !metered->state_dir || !entry->usage.begun)
		return;
	text_saver_put(metered->saver, metered->state_dir,
		       quota_file_put(metered->file, entry->name, &entry->usage));
	entry->saved = entry->usage;
}

static void save_all(struct link_quota *metered)
{
	for (size_t i = 0; i < metered->count; i++)
		save(metered, &metered->entries[i]);
}

void link_quota_close(struct link_quota *metered)
{
	if (!metered)
		return;
	save_all(metered);
	text_saver_close(metered->saver);
	quota_file_close(metered->file);
	free(metered->state_dir);
	free(metered);
}

static struct entry *find(struct entry *entries, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(entries[i].name, name) == 0)
			return &entries[i];
	return NULL;
}

static void move(struct link_quota *metered, const char *state_dir)
{
	/* It may be there that we come back to. */
	text_saver_flush(metered->saver);
	quota_file_close(metered->file);
	metered->file = NULL;
	free(metered->state_dir);
	metered->state_dir = strdup(state_dir);
}

void link_quota_follow(struct link_quota *metered, const struct links_config *config,
		       const char *state_dir)
{
	struct entry before[LINKS_MAX];
	const size_t count = metered->count;

	save_all(metered);
	memcpy(before, metered->entries, sizeof(before));
	metered->count = 0;
	if (!metered->state_dir || strcmp(metered->state_dir, state_dir) != 0)
		move(metered, state_dir);
	for (size_t i = 0; i < config->count; i++) {
		const struct link_config *link = &config->link[i];
		struct entry *entry = &metered->entries[metered->count];
		const struct entry *known = find(before, count, link->name);

		if (link->quota == 0)
			continue;
		if (!metered->file)
			metered->file = quota_file_open(state_dir);
		*entry = (struct entry){.quota = link->quota};
		memcpy(entry->name, link->name, sizeof(entry->name));
		/* The file may not have been written. */
		if (known)
			entry->usage = known->usage;
		else if (metered->file)
			entry->usage = quota_file_get(metered->file, link->name);
		entry->saved = entry->usage;
		metered->count++;
	}
}

void link_quota_take(struct link_quota *metered, const struct link_config *link, time_t now,
		     int device, const struct link_bytes *counters)
{
	struct entry *entry = find(metered->entries, metered->count, link->name);

	if (!entry)
		return;
	quota_usage_take(&entry->usage, now, link->reset_day, device, counters->rx + counters->tx);
	if (strcmp(entry->usage.month.since, entry->saved.month.since) != 0 ||
	    entry->usage.month.bytes - entry->saved.month.bytes >= entry->quota / SAVE_SHARE)
		save(metered, entry);
}

const struct quota_usage *link_quota_usage(const struct link_quota *metered, const char *name)
{
	for (size_t i = 0; i < metered->count; i++)
		if (strcmp(metered->entries[i].name, name) == 0)
			return &metered->entries[i].usage;
	return NULL;
}

static bool is_spent(const struct link_quota *metered, const struct link *link)
{
	const struct quota_usage *usage = link_quota_usage(metered, link->config.name);

	return usage && usage->month.bytes >= link->config.quota;
}

static bool works(const struct link *link)
{
	return link->paths[IP_V4].works || link->paths[IP_V6].works;
}

/* A backup link waits as well; that it works is enough for metered ones to rest. */
static bool others_work(const struct link *links, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (links[i].config.role != LINK_ROLE_METERED && works(&links[i]))
			return true;
	return false;
}

static bool is_full(uint64_t carried, uint64_t possible)
{
	return possible > 0 && (double)carried >= FULL_SHARE * (double)possible;
}

/* Whether all links that are in use carry, in either direction, what those that are not metered
 * can. */
static bool others_are_full(const struct link *links, const struct link_rates *meters, size_t count)
{
	struct link_bytes carried = {0};
	struct link_bytes possible = {0};
	struct link_bytes unknown = {0};

	for (size_t i = 0; i < count; i++) {
		const struct link_bytes rate = link_rates_rate(&meters[i], LINK_SPAN_SECOND);
		const struct link_bytes *most = &links[i].config.rate;

		if (!works(&links[i]) || link_is_backup(&links[i]))
			continue;
		carried.rx += rate.rx;
		carried.tx += rate.tx;
		if (links[i].config.role == LINK_ROLE_METERED)
			continue;
		possible.rx += most->rx;
		possible.tx += most->tx;
		unknown.rx += most->rx == 0;
		unknown.tx += most->tx == 0;
	}
	return (unknown.rx == 0 && is_full(carried.rx, possible.rx)) ||
	       (unknown.tx == 0 && is_full(carried.tx, possible.tx));
}

static bool wants_them(struct link_quota *metered, double now_s, const struct link *links,
		       size_t count)
{
	/* A speed test says nothing of what others need: it stays as it was before. */
	const bool full = metered->tested ? metered->joined
					  : metered->full_s >= (metered->joined ? 1 : FULL_S);

	if (full || !others_work(links, count))
		metered->needed_s = now_s;
	return now_s - metered->needed_s < LEAVE_S;
}

void link_quota_test(struct link_quota *metered, bool goes_on)
{
	metered->tested = goes_on;
}

bool link_quota_is_tested(const struct link_quota *metered)
{
	return metered->tested;
}

bool link_quota_changed(struct link_quota *metered, double now_s, const struct link *links,
			const struct link_rates *meters, size_t count)
{
	if (!metered->tested)
		metered->full_s = others_are_full(links, meters, count) ? metered->full_s + 1 : 0;
	for (size_t i = 0; i < count; i++)
		if ((links[i].state == LINK_STATE_QUOTA || works(&links[i])) &&
		    (links[i].state == LINK_STATE_QUOTA) != is_spent(metered, &links[i]))
			return true;
	return wants_them(metered, now_s, links, count) != metered->joined;
}

void link_quota_mark(const struct link_quota *metered, struct link *links, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct link *link = &links[i];

		if (!works(link))
			continue;
		if (is_spent(metered, link)) {
			link->paths[IP_V4].works = false;
			link->paths[IP_V6].works = false;
			link->state = LINK_STATE_QUOTA;
		} else if (link->config.role == LINK_ROLE_METERED && !metered->joined) {
			link->state = LINK_STATE_STANDBY;
		}
	}
}

bool link_quota_reconsider(struct link_quota *metered, double now_s, const struct link *links,
			   size_t count)
{
	const bool wanted = wants_them(metered, now_s, links, count);
	const bool changed = wanted != metered->joined;

	metered->joined = wanted;
	return changed;
}
