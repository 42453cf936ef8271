/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients on the same host: load, attach, slots, and the two ends of one client's way. */
#include "accel/local.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/local_private.h"
#include "accel/map_view.h"
#include "accel/refusal.h"
#include "accel/tcp_position.h"
#include "base/libbpf_log.h"
#include "hawser_local.h"
#include "local.skel.h"
#include "net/kernel_version.h"
#include "net/socket.h"

#define FEATURE_NAME "local-accel"

static const struct feature_state not_asked_for = {
	.name = FEATURE_NAME, .available = false, .reason = "not asked for"};

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

/* Before 6.6 the kernel's methods for sockets in a sockmap had faults in what is used here, and
 * about 6.1 sock_ops insertion beside an MPTCP listener could crash it; neither may be tried out.
 */

#define LISTENERS_MAX 256

/* The program knows a connection from its establishment to its close, the session only in between.
 */
#define CONNECTIONS_PER_SLOT 4

/* A client that TCP has carried this much more for than was redirected sends bulk: it pays for the
 * program and gains nothing. */
#define BULK_BYTES (1U << 20)

struct local_worker {
	struct local *local;
	/* A queue, so that a slot rests as long as possible: the program may have looked it up just
	 * before it was freed. */
	uint32_t *free_slots;
	unsigned int free_first;
	unsigned int free_count;
};

struct local {
	struct local_bpf *skeleton;
	struct bpf_link *link;
	struct map_view view;
	struct hawser_local_flow *flows; /* in it */
	struct local_worker *workers;
	unsigned int worker_count;
	unsigned int slots; /* per worker */
	struct feature_state state;
};

struct local_client {
	struct local_worker *worker;
	struct hawser_local_flow *flow;
	uint32_t slot;
	bool removed; /* its socket from the map: unfit, or not worth it */
	struct hawser_local_key key;
};

static void __attribute__((format(printf, 2, 3)))
local_off(struct local *local, const char *format, ...)
{
	va_list args;

	local->state.available = false;
	va_start(args, format);
	vsnprintf(local->state.reason, sizeof(local->state.reason), format, args);
	va_end(args);
}

static void local_refused(struct local *local, const char *what, int err)
{
	if (err == -EINVAL)
		local_off(local, "%s: %s; is CONFIG_CGROUP_BPF missing?", what, strerror(-err));
	else
		refusal_note(&local->state, what, err);
}

/* b40cc5adaa80: reading what was redirected moved copied_seq past what TCP had received, so a
 * socket that leaves the map loses its place. */
static bool kernel_is_new_enough(struct local *local)
{
	static const struct kernel_version fixed[] = {
		{6, 12, 75}, {6, 18, 14}, {6, 19, 4}, {7, 0, 0}};
	const struct kernel_version kernel = kernel_version_get();
	char text[KERNEL_VERSION_TEXT_MAX];

	if (!kernel_version_has(kernel, fixed, sizeof(fixed) / sizeof(fixed[0]))) {
		local_off(local, "kernel %s is too old; expected 6.12.75, 6.18.14, 6.19.4 or 7.0",
			  kernel_version_format(kernel, text));
		return false;
	}
	if (access(KERNEL_BTF, R_OK)) {
		local_off(local, "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
		return false;
	}
	return true;
}

static void address_to_map(struct hawser_local_address *out, const union address *address)
{
	*out = (struct hawser_local_address){.port = address_port(address)};
	if (address->sa.sa_family == AF_INET6) {
		memcpy(out->ip, &address->in6.sin6_addr, sizeof(out->ip));
		return;
	}
	out->ip[2] = htonl(0xffff);
	out->ip[3] = address->in4.sin_addr.s_addr;
}

static void key_of(struct hawser_local_key *key, int accepted, const union address *client)
{
	union address own;

	socket_local_address(accepted, &own);
	address_to_map(&key->client, client);
	address_to_map(&key->hawserd, &own);
}

/* 0 or -errno. */
static int local_load(struct local *local, const struct local_options *options)
{
	struct local_bpf *skeleton = local_bpf__open();
	uint32_t slots = local->slots * options->workers;
	const uint64_t cookie = socket_netns_cookie();
	int err = cookie ? 0 : -ENOPROTOOPT;

	if (!skeleton)
		return -ENOMEM;
	local->skeleton = skeleton;
	skeleton->rodata->netns_cookie = cookie;
	skeleton->rodata->budget_bytes =
		options->budget_bytes ? options->budget_bytes : LOCAL_BUDGET_BYTES;
	skeleton->rodata->nonblock_flag = O_NONBLOCK;
	skeleton->rodata->budget_messages = LOCAL_BUDGET_MESSAGES;
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.listeners, LISTENERS_MAX);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.flows, slots);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.accepted, slots);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.clients,
					       slots * CONNECTIONS_PER_SLOT);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.connections,
					       slots * CONNECTIONS_PER_SLOT);
	return err ? err : local_bpf__load(skeleton);
}

/* 0 or -errno. */
static int worker_init(struct local *local, unsigned int index)
{
	struct local_worker *worker = &local->workers[index];

	worker->local = local;
	worker->free_slots = calloc(local->slots, sizeof(*worker->free_slots));
	if (!worker->free_slots)
		return -ENOMEM;
	while (worker->free_count < local->slots) {
		worker->free_slots[worker->free_count] = index * local->slots + worker->free_count;
		worker->free_count++;
	}
	return 0;
}

/* What is needed besides the programs. 0 or -errno. */
static int local_equip(struct local *local, unsigned int workers)
{
	const struct local_bpf *skeleton = local->skeleton;
	int err = map_view_open(&local->view, bpf_map__fd(skeleton->maps.flows),
				(size_t)local->slots * workers * sizeof(*local->flows));

	if (err)
		return err;
	local->flows = local->view.memory;
	local->workers = calloc(workers, sizeof(*local->workers));
	if (!local->workers)
		return -ENOMEM;
	while (!err && local->worker_count < workers)
		err = worker_init(local, local->worker_count++);
	if (!err && bpf_prog_attach(bpf_program__fd(skeleton->progs.hawser_local_send),
				    bpf_map__fd(skeleton->maps.clients), BPF_SK_MSG_VERDICT, 0))
		err = -errno;
	return err;
}

/* By a link, which the kernel takes off when we end. 0 or -errno. */
static int local_attach(struct local *local, const char *cgroup)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	local->link = bpf_program__attach_cgroup(local->skeleton->progs.hawser_local_ops, fd);
	if (!local->link)
		err = -errno;
	close(fd);
	return err;
}

struct local *local_open(const struct local_options *options)
{
	struct local *local = calloc(1, sizeof(*local));
	const char *what = "the kernel does not load the programs";
	int err;

	if (!local)
		return NULL;
	local->state.name = FEATURE_NAME;
	local->slots = options->slots;
	if (options->off) {
		local_off(local, "switched off: bpf = off");
		return local;
	}
	/* What takes a lock instead is not atomic to the BPF programs. */
	if (!__atomic_always_lock_free(sizeof(uint64_t), NULL)) {
		local_off(local, "no atomic operations on 64 bits");
		return local;
	}
	libbpf_log_start();
	if (!kernel_is_new_enough(local))
		return local;
	err = local_load(local, options);
	if (!err) {
		what = "the kernel does not give the maps";
		err = local_equip(local, options->workers);
	}
	if (err) {
		local_refused(local, what, err);
		return local;
	}
	if (local_probe(&local->workers[0], local->state.reason, sizeof(local->state.reason)))
		return local;
	if (options->cgroup) {
		err = local_attach(local, options->cgroup);
		if (err) {
			local_refused(local,
				      "the kernel does not attach the programs to the cgroup", err);
			return local;
		}
	}
	local->state.available = true;
	return local;
}

void local_close(struct local *local)
{
	if (!local)
		return;
	bpf_link__destroy(local->link);
	for (unsigned int i = 0; i < local->worker_count; i++)
		free(local->workers[i].free_slots);
	free(local->workers);
	map_view_close(&local->view);
	local_bpf__destroy(local->skeleton);
	free(local);
}

const struct feature_state *local_feature(const struct local *local)
{
	return local ? &local->state : &not_asked_for;
}

void local_listen(struct local *local, const struct listen_config *listen, size_t count)
{
	const uint32_t value = 1;
	struct hawser_local_address address;
	int map;

	if (!local || !local->state.available)
		return;
	map = bpf_map__fd(local->skeleton->maps.listeners);
	while (!bpf_map_get_next_key(map, NULL, &address))
		bpf_map_delete_elem(map, &address);
	for (size_t i = 0; i < count; i++) {
		if (listen[i].metrics)
			continue;
		address_to_map(&address, &listen[i].address);
		/* One too many is served by TCP. */
		(void)bpf_map_update_elem(map, &address, &value, BPF_ANY);
	}
}

struct local_worker *local_worker(struct local *local, unsigned int index)
{
	return local && local->state.available ? &local->workers[index] : NULL;
}

static int map_fd_connections(const struct local_worker *worker)
{
	return bpf_map__fd(worker->local->skeleton->maps.connections);
}

struct local_client *local_client_open(struct local_worker *worker, int fd,
				       const union address *client, uint64_t read, uint64_t session)
{
	struct hawser_local_connection connection = {0};
	const uint64_t value = (uint64_t)fd;
	struct local_client *made;
	uint32_t slot;

	if (!worker || worker->free_count == 0)
		return NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return NULL;
	key_of(&made->key, fd, client);
	if (bpf_map_lookup_elem(map_fd_connections(worker), &made->key, &connection) ||
	    connection.slot != HAWSER_LOCAL_NO_SLOT)
		goto out;
	if (bpf_map_update_elem(bpf_map__fd(worker->local->skeleton->maps.accepted), &made->key,
				&value, BPF_ANY))
		goto out;
	slot = worker->free_slots[worker->free_first];
	made->worker = worker;
	made->slot = slot;
	made->flow = &worker->local->flows[slot];
	*made->flow = (struct hawser_local_flow){
		.read = read, .session = session, .base = connection.base};
	/* Last: from here on the program redirects. BPF_EXIST: not if the client is gone again. */
	connection.slot = slot;
	if (bpf_map_update_elem(map_fd_connections(worker), &made->key, &connection, BPF_EXIST))
		goto out_of_map;
	worker->free_first = (worker->free_first + 1) % worker->local->slots;
	worker->free_count--;
	return made;
out_of_map:
	bpf_map_delete_elem(bpf_map__fd(worker->local->skeleton->maps.accepted), &made->key);
out:
	free(made);
	return NULL;
}

/* Gives the client's socket its own methods back. It has no queue there that could be lost: what we
 * send to it goes by TCP. */
static void client_remove(struct local_client *client)
{
	client->removed = true;
	bpf_map_delete_elem(bpf_map__fd(client->worker->local->skeleton->maps.clients),
			    &client->key);
}

static bool client_is_to_go(const struct hawser_local_flow *flow)
{
	const volatile struct hawser_local_flow *now = flow;

	return now->unfit || now->passed > now->redirected + BULK_BYTES;
}

void local_client_read(struct local_client *client, uint64_t bytes)
{
	struct hawser_local_flow *flow = client->flow;

	/* The program reads it at any time: in one piece, and not before the bytes are received. */
	atomic_store_explicit((_Atomic uint64_t *)&flow->read, flow->read + bytes,
			      memory_order_release);
	if (!client->removed && client_is_to_go(flow))
		client_remove(client);
}

struct local_counts local_client_close(struct local_client *client)
{
	struct local_worker *worker;
	struct local_counts counts = {0};
	unsigned int last;

	if (!client)
		return counts;
	worker = client->worker;
	/* The client may be sending at this moment; it then finds no entry, and TCP. */
	bpf_map_delete_elem(map_fd_connections(worker), &client->key);
	counts = (struct local_counts){.clients = 1,
				       .redirected = client->flow->redirected,
				       .passed = client->flow->passed};
	*client->flow = (struct hawser_local_flow){0};
	last = (worker->free_first + worker->free_count++) % worker->local->slots;
	worker->free_slots[last] = client->slot;
	free(client);
	return counts;
}

int local_adopt(struct local_worker *worker, int client, int accepted)
{
	struct hawser_local_connection connection = {.slot = HAWSER_LOCAL_NO_SLOT};
	const uint64_t value = (uint64_t)client;
	struct hawser_local_key key;
	union address address;
	int err = tcp_position_origin(accepted, &connection.base);

	if (err)
		return err;
	socket_local_address(client, &address);
	key_of(&key, accepted, &address);
	if (bpf_map_update_elem(map_fd_connections(worker), &key, &connection, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(worker->local->skeleton->maps.clients), &key, &value,
				BPF_ANY))
		return -errno;
	return 0;
}
