/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failed handshakes by source address. */
#include "shared/auth_penalty.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"

/* One row for each hash: of two addresses that meet, the later one stays. */
#define ROWS	      4096
#define DELAY_MIN_S   0.1
#define DOUBLINGS     5 /* beyond the maximum */
#define FORGOTTEN_S   60.
#define V6_PREFIX_LEN 8

struct row {
	union address address;
	double last_s;
	uint32_t count;	 /* in a row, no minute apart */
	uint32_t logged; /* since the last line of the log */
};

struct failures {
	pthread_mutex_t lock;
	uint8_t key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose who meets whom */
	uint64_t since_log;
	struct row rows[ROWS];
};

struct failures *failures_open(void)
{
	struct failures *failures = calloc(1, sizeof(*failures));

	if (!failures)
		return NULL;
	pthread_mutex_init(&failures->lock, NULL);
	crypto_shorthash_keygen(failures->key);
	return failures;
}

void failures_close(struct failures *failures)
{
	if (!failures)
		return;
	pthread_mutex_destroy(&failures->lock);
	free(failures);
}

/* What a household or a rented machine has: one IPv4 address, or a /64. */
static union address source_of(const union address *address)
{
	union address source = *address;

	address_set_port(&source, 0);
	if (source.sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&source.in6.sin6_addr))
		memset(source.in6.sin6_addr.s6_addr + V6_PREFIX_LEN, 0, V6_PREFIX_LEN);
	return source;
}

static struct row *row_of(struct failures *failures, const union address *source)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t index;

	if (source->sa.sa_family == AF_INET6)
		crypto_shorthash(hash, source->in6.sin6_addr.s6_addr, 16, failures->key);
	else
		crypto_shorthash(hash, (const uint8_t *)&source->in4.sin_addr, 4, failures->key);
	memcpy(&index, hash, sizeof(index));
	return &failures->rows[index % ROWS];
}

double failures_note(struct failures *failures, const union address *address, double now_s)
{
	const union address source = source_of(address);
	struct row *row = row_of(failures, &source);
	double delay_s = DELAY_MIN_S;

	pthread_mutex_lock(&failures->lock);
	if (!address_same_ip(&row->address, &source))
		*row = (struct row){.address = source};
	else if (now_s - row->last_s > FORGOTTEN_S)
		row->count = 0;
	for (uint32_t i = 0; i < row->count && i < DOUBLINGS; i++)
		delay_s *= 2;
	row->last_s = now_s;
	row->count++;
	row->logged++;
	failures->since_log++;
	pthread_mutex_unlock(&failures->lock);
	return delay_s < FAILURES_DELAY_MAX_S ? delay_s : FAILURES_DELAY_MAX_S;
}

void failures_log(struct failures *failures)
{
	char text[ADDRESS_TEXT_MAX];
	struct row most = {0};
	uint64_t count;
	char *colon;

	pthread_mutex_lock(&failures->lock);
	count = failures->since_log;
	for (size_t i = 0; count > 0 && i < ROWS; i++) {
		if (failures->rows[i].logged > most.logged)
			most = failures->rows[i];
		failures->rows[i].logged = 0;
	}
	failures->since_log = 0;
	pthread_mutex_unlock(&failures->lock);
	if (count == 0)
		return;
	/* The port is of no one connection. */
	address_format(&most.address, text);
	colon = strrchr(text, ':');
	if (colon)
		*colon = '\0';
	log_warning("%llu failed handshakes in the last minute; most, %u, from %s",
		    (unsigned long long)count, most.logged, text);
}
