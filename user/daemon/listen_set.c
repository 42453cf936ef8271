/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening sockets: one per address and worker. */
#include "daemon/listen_set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/notify.h"
#include "daemon/inherited.h"
#include "daemon/listen_open.h"
#include "intercept/steer.h"
#include "net/socket.h"

static bool same_port(const union address *a, const union address *b)
{
	return a->sa.sa_family == b->sa.sa_family && address_port(a) == address_port(b);
}

/* The sockets of that address in old, or NULL: none, or of the other kind. Those for metrics are
 * plain TCP, which would leave clients of a proxy without MPTCP. */
static int *listen_set_find(const struct listen_set *old, const union address *address,
			    bool metrics)
{
	for (size_t i = 0; old && i < old->count; i++)
		if (same_port(&old->addresses[i], address) &&
		    address_same_ip(&old->addresses[i], address) && old->metrics[i] == metrics &&
		    old->fds[i * old->workers] >= 0)
			return &old->fds[i * old->workers];
	return NULL;
}

/* Whether to be shared with others of the same user. */
static void set_shared(const int *fds, size_t workers, bool shared)
{
	const int value = shared;

	for (size_t w = 0; w < workers; w++)
		(void)setsockopt(fds[w], SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

/* All workers accept from one socket where that is the only kind that BPF can bring connections to;
 * of metrics only the main thread does. */
static bool wants_one_socket(bool transparent, bool metrics)
{
	return metrics || (transparent && !steer_takes_shared());
}

static void listen_set_settle(const struct listen_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->fds[i * set->workers] >= 0)
			set_shared(&set->fds[i * set->workers], set->workers,
				   !wants_one_socket(set->transparent[i], set->metrics[i]));
}

/* Whether old listens on all addresses where the new one is one of them, or the other way around,
 * or on the same one for the other kind. Then the kernel does not refuse a second socket, as the
 * address is ours. */
static bool listen_set_make_way(const struct listen_set *old, const union address *address,
				bool metrics)
{
	bool ours = false;

	for (size_t i = 0; old && i < old->count; i++) {
		const bool is_same = address_same_ip(&old->addresses[i], address);

		if (!same_port(&old->addresses[i], address) ||
		    (is_same ? old->metrics[i] == metrics
			     : address_is_any(&old->addresses[i]) == address_is_any(address)))
			continue;
		set_shared(&old->fds[i * old->workers], old->workers, true);
		ours = true;
	}
	return ours;
}

static int listen_set_alloc(struct listen_set *set, const struct config *config, size_t workers)
{
	const size_t count = config->listen_count;

	*set = (struct listen_set){.count = count, .workers = workers};
	set->addresses = calloc(count, sizeof(*set->addresses));
	set->transparent = calloc(count, sizeof(*set->transparent));
	set->metrics = calloc(count, sizeof(*set->metrics));
	set->fds = calloc(count * workers, sizeof(*set->fds));
	for (size_t i = 0; set->fds && i < count * workers; i++)
		set->fds[i] = -1;
	if (!set->addresses || !set->transparent || !set->metrics || !set->fds)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		set->addresses[i] = config->listen[i].address;
		set->transparent[i] = config->listen[i].transparent;
		set->metrics[i] = config->listen[i].metrics;
	}
	return 0;
}

/* A listener that is kept may become transparent. What it was is not put back on failure: until
 * something is sent its way by rules, it makes no difference. 0 or -errno. */
static int listen_set_convert(const struct listen_config *listen, const int *fds, size_t workers)
{
	for (size_t w = 0; listen->transparent && w < workers; w++) {
		int err = socket_set_transparent(fds[w], listen->address.sa.sa_family, true);

		if (err)
			return err;
	}
	return 0;
}

/* For worker w, those before have theirs: another socket, or the same once more. fd or -errno. */
static int open_next(const struct listen_config *listen, const struct tune *tune, const int *fds,
		     size_t w)
{
	int fd;

	if (w == 0 || !wants_one_socket(listen->transparent, listen->metrics))
		return listen_open(listen, tune);
	fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* What this process was started with. Where that is fewer than workers, some share one. */
static int listen_set_inherit(const struct listen_config *listen, const struct tune *tune, int *fds,
			      size_t workers, bool *found)
{
	const size_t count = inherited_find(&listen->address, fds, workers);
	int err = 0;

	*found = count > 0;
	for (size_t w = 0; !err && w < count; w++)
		err = listen_adopt(fds[w], listen, tune);
	for (size_t w = count; !err && count > 0 && w < workers; w++) {
		fds[w] = fcntl(fds[w % count], F_DUPFD_CLOEXEC, 0);
		if (fds[w] < 0)
			err = -errno;
	}
	return err;
}

/* Those of one listener, for all workers. 0 or -errno, which has been logged. */
static int listen_set_open_one(const struct listen_config *listen, const struct tune *tune,
			       int *fds, size_t workers, const struct listen_set *old)
{
	enum listen_address judged = listen_address_judge(listen);
	bool found;
	int err;

	if (judged == LISTEN_ADDRESS_NEVER)
		return 0;
	if (judged == LISTEN_ADDRESS_OFF)
		return -EADDRNOTAVAIL;
	err = listen_set_inherit(listen, tune, fds, workers, &found);
	if (err || found)
		return err ? listen_complain(listen, err) : 0;
	if (!listen_set_make_way(old, &listen->address, listen->metrics))
		err = listen_check_free(listen);
	for (size_t w = 0; !err && w < workers; w++) {
		fds[w] = open_next(listen, tune, fds, w);
		if (fds[w] < 0)
			err = fds[w];
	}
	return err ? listen_complain(listen, err) : 0;
}

/* Opens what old does not have. */
static int listen_set_open_new(struct listen_set *set, const struct config *config,
			       const struct listen_set *old)
{
	int err = 0;

	for (size_t i = 0; !err && i < set->count; i++) {
		const struct listen_config *listen = &config->listen[i];
		const int *kept = listen_set_find(old, &listen->address, listen->metrics);

		if (!kept)
			err = listen_set_open_one(listen, &config->relay.tune,
						  &set->fds[i * set->workers], set->workers, old);
		else if ((err = listen_set_convert(listen, kept, set->workers)))
			(void)listen_complain(listen, err);
	}
	return err;
}

static void listen_set_take(struct listen_set *set, struct listen_set *old)
{
	for (size_t i = 0; i < set->count; i++) {
		int *kept = listen_set_find(old, &set->addresses[i], set->metrics[i]);

		for (size_t w = 0; kept && w < set->workers; w++) {
			set->fds[i * set->workers + w] = kept[w];
			kept[w] = -1;
			if (!set->transparent[i])
				socket_set_transparent(set->fds[i * set->workers + w],
						       set->addresses[i].sa.sa_family, false);
		}
	}
}

int listen_set_open(struct listen_set *set, const struct config *config, size_t workers,
		    struct listen_set *old)
{
	int err = listen_set_alloc(set, config, workers);

	if (!err)
		err = listen_set_open_new(set, config, old);
	if (err) {
		listen_set_close(set);
		if (old)
			listen_set_settle(old);
		return err;
	}
	listen_set_take(set, old);
	listen_set_settle(set);
	return 0;
}

static bool is_open(const struct listen_set *set, size_t i)
{
	return set->fds[i * set->workers] >= 0;
}

void listen_set_keep(const struct listen_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (is_open(set, i))
			inherited_tell("FDSTORE=1\nFDNAME=listen-%s", &set->addresses[i],
				       &set->fds[i * set->workers], set->workers);
}

void listen_set_forget(const struct listen_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (is_open(set, i))
			inherited_tell("FDSTOREREMOVE=1\nFDNAME=listen-%s", &set->addresses[i],
				       NULL, 0);
}

void listen_set_close(struct listen_set *set)
{
	for (size_t i = 0; set->fds && i < set->count * set->workers; i++)
		if (set->fds[i] >= 0)
			close(set->fds[i]);
	free(set->addresses);
	free(set->transparent);
	free(set->metrics);
	free(set->fds);
	*set = (struct listen_set){0};
}
