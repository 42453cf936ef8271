/* SPDX-License-Identifier: GPL-2.0-or-later */
/* local-accel, always off: takes the place of local.c in a build without BPF, or by LOCAL=0. */
#include "accel/local.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

static const struct feature_state not_asked_for = {.name = "local-accel",
						   .reason = "not asked for"};
static struct local {
	struct feature_state state;
} off = {{.name = "local-accel", .reason = "built without it"}};

struct local *local_open(const struct local_options *options)
{
	return &off;
}

void local_close(struct local *local)
{
}

const struct feature_state *local_feature(const struct local *local)
{
	return local ? &local->state : &not_asked_for;
}

void local_listen(struct local *local, const struct listen_config *listen, size_t count)
{
}

struct local_worker *local_worker(struct local *local, unsigned int index)
{
	return NULL;
}

struct local_client *local_client_open(struct local_worker *worker, int fd,
				       const union address *client, uint64_t read, uint64_t session)
{
	return NULL;
}

/* Without a client nobody calls the others. */

void local_client_read(struct local_client *client, uint64_t bytes)
{
}

struct local_counts local_client_close(struct local_client *client)
{
	return (struct local_counts){0};
}
