/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/open_files.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/control.h"
#include "http/http_server.h"
#include "session/hold.h"
#include "upstream/resolver.h"

/* The main thread's: loop, netlink, files that are being read; half of them for BPF. And to hold.
 */
#define FDS_MAIN (53 + HOLD_FDS)
/* Loop, mailbox, hangup, ticks, netlink, an exit's probe. */
#define FDS_WORKER 13
/* Echo sockets, and connects to exits while links are in doubt. */
#define FDS_LINKS (LINKS_MAX * LINK_PROBES_MAX + 48)
/* To its first two name servers, and by TCP. */
#define FDS_QUERY 4
/* A relayed session's two sockets. */
#define FDS_SESSION 2

#define FDS_PIPE 2

/* Connections, those that leave, and what the library needs. */
#define FDS_METRICS (2 * HTTP_CONNECTIONS_MAX + 4)

/* Of what traffic may use, at most one in so many for each other use. */
#define SHARE_PIPES    16
#define SHARE_ATTEMPTS 32
#define SHARE_QUERIES  16
#define PIPES_MAX      4096
#define ATTEMPTS_MAX   4096

#define UNHEARD_MAX 1024
#define UNHEARD_MIN 16

/* What it cannot do without. */
static uint64_t needed(const struct config *config)
{
	return FDS_MAIN + FDS_WORKER * (uint64_t)config->workers +
	       (links_are_wanted(&config->links) ? FDS_LINKS : 0);
}

/* With a limit that is too low for all that may be wanted, half of it is for sessions: then most of
 * what needs nothing now must not all come at once. */
static uint64_t reserved(uint64_t limit, const struct config *config)
{
	const uint64_t least = needed(config);
	/* A reload opens the new listeners before it closes the old ones. */
	const uint64_t wanted = least + CONTROL_CLIENTS_MAX +
				2 * (uint64_t)config->listen_count * config->workers +
				config->exit_count + (config_has_metrics(config) ? FDS_METRICS : 0);

	if (wanted < limit / 2)
		return wanted;
	return limit / 2 > least ? limit / 2 : least;
}

/* Said before anything fails for want of them, often with another error. */
static int check(uint64_t limit, const struct config *config)
{
	const uint64_t least = needed(config) + FDS_SESSION * (uint64_t)config->workers;

	if (limit >= least)
		return 0;
	log_error("too few file descriptors: the limit is %llu, and hawserd needs %llu with %u "
		  "workers; raise it by 'ulimit -n' or by LimitNOFILE= of a systemd unit",
		  (unsigned long long)limit, (unsigned long long)least, config->workers);
	return -EMFILE;
}

static uint32_t at_most(uint64_t number, uint32_t max)
{
	return number < max ? (uint32_t)number : max;
}

static uint64_t raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warning("cannot raise the limit of open files: %s", strerror(errno));
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

/* At most: by the kernel's way, and by each link. */
static uint32_t questions_of_name(const struct config *config)
{
	return links_are_wanted(&config->links) ? 1 + LINKS_MAX : 1;
}

int open_files_share(const struct config *config, struct open_files *files)
{
	const uint64_t limit = raise_limit();
	uint64_t left, others;
	uint32_t pipes, attempts;

	if (check(limit, config))
		return -EMFILE;
	left = limit - reserved(limit, config);
	pipes = at_most(left / SHARE_PIPES / FDS_PIPE, PIPES_MAX);
	attempts = at_most(left / SHARE_ATTEMPTS, ATTEMPTS_MAX);
	files->queries = at_most(left / SHARE_QUERIES / FDS_QUERY / config->workers,
				 RESOLVER_RUNNING_MAX * questions_of_name(config));
	others = (uint64_t)pipes * FDS_PIPE + attempts +
		 (uint64_t)files->queries * FDS_QUERY * config->workers;
	if (files->queries == 0)
		files->queries = 1;
	files->sessions = at_most((left - others) / FDS_SESSION, UINT32_MAX);
	/* Half of the sessions; the kernel lets fewer wait in a backlog. */
	files->unheard = at_most(files->sessions / 2 / config->workers, UNHEARD_MAX);
	if (files->unheard < UNHEARD_MIN)
		files->unheard = UNHEARD_MIN;
	descriptors_limit(DESCRIPTORS_SESSION, files->sessions);
	descriptors_limit(DESCRIPTORS_PIPE, pipes);
	descriptors_limit(DESCRIPTORS_ATTEMPT, attempts);
	return 0;
}
