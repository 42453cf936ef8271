/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one worker leaves for the session that another will accept. */
#include "shared/meeting.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *next;
	struct address_key ends[2];
	void *item;
	double until_s;
};

/* A list: few wait at any time, none for long, and the newest are asked for first. */
struct meeting {
	pthread_mutex_t lock;
	struct entry *entries;
	size_t count;
	size_t dropped; /* since one was taken */
	void (*drop)(void *item);
};

struct meeting *meeting_open(void (*drop)(void *item))
{
	struct meeting *meeting = calloc(1, sizeof(*meeting));

	if (!meeting)
		return NULL;
	pthread_mutex_init(&meeting->lock, NULL);
	meeting->drop = drop;
	return meeting;
}

void meeting_close(struct meeting *meeting)
{
	if (!meeting)
		return;
	for (struct entry *entry = meeting->entries, *next; entry; entry = next) {
		next = entry->next;
		meeting->drop(entry->item);
		free(entry);
	}
	pthread_mutex_destroy(&meeting->lock);
	free(meeting);
}

void meeting_leave(struct meeting *meeting, const union address *client, const union address *to,
		   void *item, double until_s)
{
	struct entry *entry = malloc(sizeof(*entry));

	if (!entry) {
		meeting->drop(item);
		return;
	}
	*entry = (struct entry){
		.ends = {address_key(client), address_key(to)}, .item = item, .until_s = until_s};
	pthread_mutex_lock(&meeting->lock);
	entry->next = meeting->entries;
	meeting->entries = entry;
	meeting->count++;
	pthread_mutex_unlock(&meeting->lock);
}

/* What points to it, or to NULL. Under the lock. */
static struct entry **find(struct meeting *meeting, const union address *client,
			   const union address *to)
{
	const struct address_key ends[2] = {address_key(client), address_key(to)};
	struct entry **link = &meeting->entries;

	while (*link && memcmp((*link)->ends, ends, sizeof(ends)) != 0)
		link = &(*link)->next;
	return link;
}

void *meeting_take(struct meeting *meeting, const union address *client, const union address *to)
{
	struct entry *entry;
	struct entry **link;
	void *item = NULL;

	pthread_mutex_lock(&meeting->lock);
	link = find(meeting, client, to);
	entry = *link;
	if (entry) {
		*link = entry->next;
		meeting->count--;
		meeting->dropped = 0;
		item = entry->item;
	}
	pthread_mutex_unlock(&meeting->lock);
	free(entry);
	return item;
}

bool meeting_has(struct meeting *meeting, const union address *client, const union address *to)
{
	bool has;

	pthread_mutex_lock(&meeting->lock);
	has = *find(meeting, client, to) != NULL;
	pthread_mutex_unlock(&meeting->lock);
	return has;
}

size_t meeting_count(struct meeting *meeting)
{
	size_t count;

	pthread_mutex_lock(&meeting->lock);
	count = meeting->count;
	pthread_mutex_unlock(&meeting->lock);
	return count;
}

size_t meeting_tidy(struct meeting *meeting, double now_s)
{
	struct entry *late = NULL;
	size_t dropped;

	pthread_mutex_lock(&meeting->lock);
	for (struct entry **link = &meeting->entries; *link;) {
		struct entry *entry = *link;

		if (entry->until_s > now_s) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		meeting->count--;
		meeting->dropped++;
		entry->next = late;
		late = entry;
	}
	dropped = meeting->dropped;
	pthread_mutex_unlock(&meeting->lock);
	for (struct entry *next; late; late = next) {
		next = late->next;
		meeting->drop(late->item);
		free(late);
	}
	return dropped;
}
