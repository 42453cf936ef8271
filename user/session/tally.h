/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a worker's sessions by client and by exit, since the main thread took them last.
 * Bounded.
 */
#ifndef HAWSER_SESSION_TALLY_H
#define HAWSER_SESSION_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "proto/hop_message.h"
#include "proto/token.h"

#define TALLY_CLIENTS_MAX 256
#define TALLY_EXITS_MAX	  65

/* Who is a client: a token, or the address of one without. */
struct tally_client {
	char token[TOKEN_NAME_MAX + 1]; /* "": none */
	union address address;		/* AF_UNSPEC with a token, and for those without room */
	uint64_t up;
	uint64_t down;
};

struct tally_exit {
	char name[HOP_EXIT_NAME_MAX + 1]; /* "": none */
	uint64_t up;
	uint64_t down;
};

/* All zero at the start. The lists are malloc'ed. */
struct tally {
	struct tally_client *clients; /* one more than the maximum: those without room */
	size_t client_count;
	uint16_t places[2 * TALLY_CLIENTS_MAX]; /* by hash: index + 1; 0: free */
	struct tally_exit *exits;
	size_t exit_count;
};

/* token: NULL for none; exit: "" for none. Without memory nothing is counted. */
void tally_add(struct tally *tally, const union address *client, const char *token,
	       const char *exit, uint64_t up, uint64_t down);

/* Moves what there is into out, to be given to tally_free(). */
void tally_take(struct tally *tally, struct tally *out);
void tally_free(struct tally *tally);

#endif
