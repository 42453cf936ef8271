/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session/tally.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define PLACES ((size_t)2 * TALLY_CLIENTS_MAX)

/* A port is of no one session. */
static struct tally_client client_of(const union address *address, const char *token)
{
	struct tally_client client = {0};

	if (token && *token)
		strncpy(client.token, token, sizeof(client.token) - 1);
	else
		client.address = *address;
	return client;
}

static bool is_same(const struct tally_client *a, const struct tally_client *b)
{
	if (*a->token || *b->token)
		return strcmp(a->token, b->token) == 0;
	return address_same_ip(&a->address, &b->address);
}

static uint64_t hash(const struct tally_client *client)
{
	/* Who chooses addresses that meet makes a walk of 256 places at most. */
	static const uint8_t zero[crypto_shorthash_KEYBYTES];
	const struct address_key key = address_key(&client->address);
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t value;

	if (*client->token)
		crypto_shorthash(out, (const uint8_t *)client->token, strlen(client->token), zero);
	else
		crypto_shorthash(out, key.ip, sizeof(key.ip), zero);
	memcpy(&value, out, sizeof(value));
	return value;
}

/* Where it is, or would be. */
static size_t find_place(const struct tally *tally, const struct tally_client *wanted)
{
	size_t at = hash(wanted) % PLACES;

	while (tally->places[at] && !is_same(&tally->clients[tally->places[at] - 1], wanted))
		at = (at + 1) % PLACES;
	return at;
}

static void add_bytes(struct tally_client *client, uint64_t up, uint64_t down)
{
	client->up += up;
	client->down += down;
}

/* The one that has carried the least makes room for one that brings more, as in the history: who
 * comes from many addresses pushes nobody out. */
static struct tally_client *replace_least(struct tally *tally, const struct tally_client *wanted,
					  uint64_t brings)
{
	struct tally_client *others = &tally->clients[TALLY_CLIENTS_MAX];
	struct tally_client *least = tally->clients;

	tally->client_count = TALLY_CLIENTS_MAX + 1;
	for (size_t i = 1; i < TALLY_CLIENTS_MAX; i++)
		if (tally->clients[i].up + tally->clients[i].down < least->up + least->down)
			least = &tally->clients[i];
	if (least->up + least->down >= brings)
		return others;
	add_bytes(others, least->up, least->down);
	*least = *wanted;
	memset(tally->places, 0, sizeof(tally->places));
	for (size_t i = 0; i < TALLY_CLIENTS_MAX; i++)
		tally->places[find_place(tally, &tally->clients[i])] = (uint16_t)(i + 1);
	return least;
}

/* Of those that bring so much. NULL without memory. */
static struct tally_client *find_client(struct tally *tally, const struct tally_client *wanted,
					uint64_t brings)
{
	struct tally_client *client;
	size_t at;

	if (!tally->clients) {
		tally->clients = calloc(TALLY_CLIENTS_MAX + 1, sizeof(*tally->clients));
		if (!tally->clients)
			return NULL;
	}
	at = find_place(tally, wanted);
	if (tally->places[at])
		return &tally->clients[tally->places[at] - 1];
	if (tally->client_count >= TALLY_CLIENTS_MAX)
		return replace_least(tally, wanted, brings);
	client = &tally->clients[tally->client_count++];
	*client = *wanted;
	tally->places[at] = (uint16_t)tally->client_count;
	return client;
}

/* NULL without memory. */
static struct tally_exit *find_exit(struct tally *tally, const char *name)
{
	struct tally_exit *exits;

	for (size_t i = 0; i < tally->exit_count; i++)
		if (strcmp(tally->exits[i].name, name) == 0)
			return &tally->exits[i];
	if (tally->exit_count == TALLY_EXITS_MAX)
		return NULL;
	exits = reallocarray(tally->exits, tally->exit_count + 1, sizeof(*exits));
	if (!exits)
		return NULL;
	tally->exits = exits;
	exits = &exits[tally->exit_count++];
	*exits = (struct tally_exit){0};
	strncpy(exits->name, name, sizeof(exits->name) - 1);
	return exits;
}

void tally_add(struct tally *tally, const union address *client, const char *token,
	       const char *exit, uint64_t up, uint64_t down)
{
	struct tally_client *by_client;
	struct tally_client wanted;
	struct tally_exit *by_exit;

	if (up == 0 && down == 0)
		return;
	wanted = client_of(client, token);
	by_client = find_client(tally, &wanted, up + down);
	if (by_client)
		add_bytes(by_client, up, down);
	by_exit = find_exit(tally, exit);
	if (by_exit) {
		by_exit->up += up;
		by_exit->down += down;
	}
}

void tally_take(struct tally *tally, struct tally *out)
{
	*out = *tally;
	*tally = (struct tally){0};
}

void tally_free(struct tally *tally)
{
	free(tally->clients);
	free(tally->exits);
	*tally = (struct tally){0};
}
