/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients that are on their way through a captive portal. */
#include "shared/portal_guests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct guest {
	union address client;
	unsigned int slot;
	double until_s;
};

struct portal_guests {
	atomic_bool any; /* was there ever one */
	pthread_mutex_t mutex;
	struct guest guests[PORTAL_GUESTS_MAX];
};

struct portal_guests *portal_guests_open(void)
{
	struct portal_guests *guests = calloc(1, sizeof(*guests));

	if (guests)
		pthread_mutex_init(&guests->mutex, NULL);
	return guests;
}

void portal_guests_close(struct portal_guests *guests)
{
	if (!guests)
		return;
	pthread_mutex_destroy(&guests->mutex);
	free(guests);
}

void portal_guests_note(struct portal_guests *guests, const union address *client,
			unsigned int slot, double now_s)
{
	struct guest *place = &guests->guests[0];

	pthread_mutex_lock(&guests->mutex);
	for (size_t i = 1; i < PORTAL_GUESTS_MAX; i++)
		if (guests->guests[i].until_s < place->until_s)
			place = &guests->guests[i];
	for (size_t i = 0; i < PORTAL_GUESTS_MAX; i++)
		if (address_same_ip(&guests->guests[i].client, client))
			place = &guests->guests[i];
	*place = (struct guest){*client, slot, now_s + PORTAL_GUEST_S};
	atomic_store(&guests->any, true);
	pthread_mutex_unlock(&guests->mutex);
}

int portal_guests_find(struct portal_guests *guests, const union address *client, double now_s)
{
	int slot = -1;

	if (!atomic_load(&guests->any))
		return -1;
	pthread_mutex_lock(&guests->mutex);
	for (size_t i = 0; i < PORTAL_GUESTS_MAX; i++)
		if (guests->guests[i].until_s > now_s &&
		    address_same_ip(&guests->guests[i].client, client))
			slot = (int)guests->guests[i].slot;
	pthread_mutex_unlock(&guests->mutex);
	return slot;
}

void portal_guests_forget(struct portal_guests *guests, uint32_t slots)
{
	pthread_mutex_lock(&guests->mutex);
	for (size_t i = 0; i < PORTAL_GUESTS_MAX; i++)
		if (slots & 1U << guests->guests[i].slot)
			guests->guests[i].until_s = 0;
	pthread_mutex_unlock(&guests->mutex);
}
