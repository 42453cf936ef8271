/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether bpf_sk_assign() takes a listener that shares its port, which it does since Linux 6.6,
 * found out by having the program do it, in a network namespace of its own. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/libbpf_log.h"
#include "base/log.h"
#include "hawser_steer.h"
#include "intercept/steer.h"
#include "intercept/steer_load.h"
#include "intercept/tc_hook.h"
#include "steer.skel.h"

#define LOOPBACK  1 /* ifindex, in every namespace */
#define ELSEWHERE 9 /* a port where nobody listens */

struct trial {
	int listener;
	int client;
	struct steer_bpf *skeleton;
	bool takes;
};

static int loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	request.ifr_flags = IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		err = -errno;
	close(fd);
	return err;
}

static int listen_shared(struct trial *trial, struct sockaddr_in *address)
{
	const int on = 1;
	socklen_t len = sizeof(*address);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	trial->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	trial->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (trial->listener < 0 || trial->client < 0 ||
	    setsockopt(trial->listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	    bind(trial->listener, (struct sockaddr *)address, len) || listen(trial->listener, 1) ||
	    getsockname(trial->listener, (struct sockaddr *)address, &len))
		return -errno;
	return 0;
}

static int load(struct trial *trial, const struct sockaddr_in *listener)
{
	struct hawser_steer_settings settings = {.ipv4 = {.ip = {listener->sin_addr.s_addr},
							  .port = listener->sin_port,
							  .present = 1}};
	const __u64 now_ns = clock_monotonic_ns();
	const __u32 zero = 0;
	int err;

	trial->skeleton = steer_open();
	if (!trial->skeleton)
		return -errno;
	trial->skeleton->rodata->settings = settings;
	bpf_program__set_autoload(trial->skeleton->progs.hawser_steer, false);
	bpf_program__set_autoload(trial->skeleton->progs.hawser_steer_try, true);
	err = steer_bpf__load(trial->skeleton);
	if (err)
		return err;
	return bpf_map_update_elem(bpf_map__fd(trial->skeleton->maps.beat), &zero, &now_ns, BPF_ANY)
		       ? -errno
		       : 0;
}

/* Whether the first packet, which has gone through the program by then, was handed over. */
static bool was_caught(const struct trial *trial)
{
	const int cpus = libbpf_num_possible_cpus();
	const __u32 which = HAWSER_STEER_CAUGHT;
	__u64 *counts = cpus > 0 ? calloc((size_t)cpus, sizeof(*counts)) : NULL;
	bool caught = false;

	if (counts &&
	    bpf_map_lookup_elem(bpf_map__fd(trial->skeleton->maps.counters), &which, counts) == 0)
		for (int i = 0; i < cpus; i++)
			caught = caught || counts[i];
	free(counts);
	return caught;
}

static int try_it(struct trial *trial)
{
	struct sockaddr_in address;
	int err = loopback_up();

	if (!err)
		err = listen_shared(trial, &address);
	if (!err)
		err = load(trial, &address);
	if (!err)
		err = tc_hook_attach(tc_hook_probe(), &tc_steer, LOOPBACK,
				     bpf_program__fd(trial->skeleton->progs.hawser_steer_try),
				     -ENOENT);
	if (err)
		return err;
	address.sin_port = htons(ELSEWHERE);
	(void)connect(trial->client, (struct sockaddr *)&address, sizeof(address));
	trial->takes = was_caught(trial);
	return 0;
}

/* The namespace goes with the thread, and the program with it. */
static void *run(void *context)
{
	struct trial *trial = context;
	int err = unshare(CLONE_NEWNET) ? -errno : try_it(trial);

	if (err)
		log_debug("cannot try whether BPF takes a shared listener: %s", strerror(-err));
	if (trial->listener >= 0)
		close(trial->listener);
	if (trial->client >= 0)
		close(trial->client);
	steer_bpf__destroy(trial->skeleton);
	return NULL;
}

bool steer_takes_shared(void)
{
	static bool tried;
	static bool takes;
	struct trial trial = {.listener = -1, .client = -1};
	pthread_t thread;

	if (tried)
		return takes;
	tried = true;
	libbpf_log_start();
	if (pthread_create(&thread, NULL, run, &trial) == 0)
		pthread_join(thread, NULL);
	takes = trial.takes;
	log_debug("BPF takes a shared listener: %s", takes ? "yes" : "no");
	return takes;
}
