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
#define ROWS	    4096
#define DELAY_MIN_S 0.1
#define DOUBLINGS   5 /* beyond the maximum */
#define FORGOTTEN_S 60.
/* Judged guesses of one source, a second, and at once. */
#define GUESSES_PER_S 10.
#define GUESSES_MAX   20.

struct row {
	union address address;
	double last_s;
	uint32_t count;	 /* in a row, no minute apart */
	uint32_t logged; /* since the last line of the log */
	double guesses;	 /* so many of GUESSES_MAX are used up at last_s */
};

struct auth_penalty {
	pthread_mutex_t lock;
	uint8_t key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose who meets whom */
	uint64_t since_log;
	uint32_t told; /* of them */
	struct row rows[ROWS];
};

struct auth_penalty *auth_penalty_open(void)
{
	struct auth_penalty *penalty = calloc(1, sizeof(*penalty));

	if (!penalty)
		return NULL;
	pthread_mutex_init(&penalty->lock, NULL);
	crypto_shorthash_keygen(penalty->key);
	return penalty;
}

void auth_penalty_close(struct auth_penalty *penalty)
{
	if (!penalty)
		return;
	pthread_mutex_destroy(&penalty->lock);
	free(penalty);
}

static struct row *row_of(struct auth_penalty *penalty, const union address *source)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t index;

	if (source->sa.sa_family == AF_INET6)
		crypto_shorthash(hash, source->in6.sin6_addr.s6_addr, 16, penalty->key);
	else
		crypto_shorthash(hash, (const uint8_t *)&source->in4.sin_addr, 4, penalty->key);
	memcpy(&index, hash, sizeof(index));
	return &penalty->rows[index % ROWS];
}

/* As of now_s. */
static double guesses_of(const struct row *row, double now_s)
{
	const double left = row->guesses - (now_s - row->last_s) * GUESSES_PER_S;

	return left > 0 ? left : 0;
}

bool failures_may_guess(struct auth_penalty *penalty, const union address *address, double now_s)
{
	const union address source = address_source(address);
	const struct row *row = row_of(penalty, &source);
	bool may;

	pthread_mutex_lock(&penalty->lock);
	may = !address_same_ip(&row->address, &source) || guesses_of(row, now_s) + 1 <= GUESSES_MAX;
	pthread_mutex_unlock(&penalty->lock);
	return may;
}

double auth_penalty_note(struct auth_penalty *penalty, const union address *address, double now_s,
			 bool *tell)
{
	const union address source = address_source(address);
	struct row *row = row_of(penalty, &source);
	double delay_s = DELAY_MIN_S;

	pthread_mutex_lock(&penalty->lock);
	if (!address_same_ip(&row->address, &source))
		*row = (struct row){.address = source};
	else if (now_s - row->last_s > FORGOTTEN_S)
		row->count = 0;
	for (uint32_t i = 0; i < row->count && i < DOUBLINGS; i++)
		delay_s *= 2;
	row->guesses = guesses_of(row, now_s);
	/* What was refused unjudged takes nothing from those who come after. */
	if (row->guesses + 1 <= GUESSES_MAX)
		row->guesses++;
	row->last_s = now_s;
	row->count++;
	row->logged++;
	penalty->since_log++;
	*tell = row->logged <= AUTH_PENALTY_LINES && penalty->told < AUTH_PENALTY_LINES_MAX;
	penalty->told += *tell;
	pthread_mutex_unlock(&penalty->lock);
	return delay_s < AUTH_PENALTY_DELAY_MAX_S ? delay_s : AUTH_PENALTY_DELAY_MAX_S;
}

void auth_penalty_log(struct auth_penalty *penalty)
{
	char text[ADDRESS_TEXT_MAX];
	struct row most = {0};
	uint64_t count;
	char *colon;

	pthread_mutex_lock(&penalty->lock);
	count = penalty->since_log;
	for (size_t i = 0; count > 0 && i < ROWS; i++) {
		if (penalty->rows[i].logged > most.logged)
			most = penalty->rows[i];
		penalty->rows[i].logged = 0;
	}
	penalty->since_log = 0;
	penalty->told = 0;
	pthread_mutex_unlock(&penalty->lock);
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
