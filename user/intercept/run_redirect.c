/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of `hawser run`: programs on cgroups, and where their connections wanted to go.
 */
#include "intercept/run_redirect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/libbpf_log.h"
#include "hawser_run.h"
#include "net/socket.h"
#include "run.skel.h"

/* How often to look whether cgroups are gone. */
#define SWEEP_S 1.

#define LINKS 5

/* One command's cgroup. */
struct steered {
	struct bpf_link *links[LINKS];
	struct steered *next;
};

struct run_redirect {
	struct ev_loop *loop;
	ev_timer sweep;
	bool off;		  /* by configuration */
	struct run_bpf *skeleton; /* NULL: not loaded */
	_Atomic int clients;	  /* the map; -1: not loaded. For the workers. */
	struct steered *steered;  /* all of them */
	struct hawser_run_address listener4;
	struct hawser_run_address listener6;
	uint64_t netns_cookie; /* 0: this kernel does not tell */
};

static void to_map(struct hawser_run_address *out, const union address *address)
{
	*out = (struct hawser_run_address){.port = address_port(address)};
	if (address->sa.sa_family == AF_INET6) {
		memcpy(out->ip, &address->in6.sin6_addr, sizeof(out->ip));
		return;
	}
	out->ip[2] = htonl(0xffff);
	out->ip[3] = address->in4.sin_addr.s_addr;
}

static void from_map(union address *out, const struct hawser_run_address *address)
{
	*out = (union address){0};
	if (address->ip[0] == 0 && address->ip[1] == 0 && address->ip[2] == htonl(0xffff)) {
		out->in4.sin_family = AF_INET;
		out->in4.sin_addr.s_addr = address->ip[3];
		out->in4.sin_port = htons((uint16_t)address->port);
		return;
	}
	out->in6.sin6_family = AF_INET6;
	memcpy(&out->in6.sin6_addr, address->ip, sizeof(address->ip));
	out->in6.sin6_port = htons((uint16_t)address->port);
}

static void steered_free(struct steered *steered)
{
	for (int i = 0; i < LINKS; i++)
		bpf_link__destroy(steered->links[i]);
	free(steered);
}

/* The kernel detaches the link of a cgroup that is removed, and its id is 0 then. */
static bool steered_is_gone(const struct steered *steered)
{
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_link__fd(steered->links[0]), &info, &len) == 0 &&
	       info.cgroup.cgroup_id == 0;
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct run_redirect *steer = timer->data;
	struct steered **at = &steer->steered;

	(void)events;
	while (*at) {
		struct steered *steered = *at;

		if (steered_is_gone(steered)) {
			*at = steered->next;
			steered_free(steered);
		} else {
			at = &steered->next;
		}
	}
	if (!steer->steered)
		ev_timer_stop(loop, timer);
}

struct run_redirect *run_redirect_open(struct ev_loop *loop, bool off)
{
	struct run_redirect *steer = calloc(1, sizeof(*steer));
	ev_timer *sweep;

	if (!steer)
		return NULL;
	steer->loop = loop;
	steer->off = off;
	steer->clients = -1;
	steer->netns_cookie = socket_netns_cookie();
	sweep = &steer->sweep;
	ev_timer_init(sweep, on_sweep, 0., SWEEP_S);
	sweep->data = steer;
	return steer;
}

static void detach_all(struct run_redirect *steer)
{
	while (steer->steered) {
		struct steered *steered = steer->steered;

		steer->steered = steered->next;
		steered_free(steered);
	}
	ev_timer_stop(steer->loop, &steer->sweep);
}

void run_redirect_close(struct run_redirect *steer)
{
	if (!steer)
		return;
	detach_all(steer);
	run_bpf__destroy(steer->skeleton);
	free(steer);
}

static void publish_listeners(struct run_redirect *steer)
{
	if (!steer->skeleton)
		return;
	steer->skeleton->bss->listener4 = steer->listener4;
	steer->skeleton->bss->listener6 = steer->listener6;
}

void run_redirect_listen(struct run_redirect *steer, const struct config *config)
{
	if (!config) {
		detach_all(steer);
		return;
	}
	steer->listener4 = steer->listener6 = (struct hawser_run_address){.port = 0};
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct listen_config *listen = &config->listen[i];
		union address address = listen->address;
		struct hawser_run_address *out = &steer->listener4;

		if (address.sa.sa_family == AF_INET6)
			out = &steer->listener6;
		if (!listen->transparent || out->port != 0)
			continue;
		if (address_is_any(&address) && address.sa.sa_family == AF_INET6)
			address.in6.sin6_addr = in6addr_loopback;
		else if (address_is_any(&address))
			address.in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		to_map(out, &address);
	}
	publish_listeners(steer);
}

/* 0 or -errno. */
static int load(struct run_redirect *steer)
{
	struct run_bpf *skeleton;
	int err;

	if (steer->skeleton)
		return 0;
	libbpf_log_start();
	skeleton = run_bpf__open();
	if (!skeleton)
		return -errno;
	skeleton->rodata->netns_cookie = steer->netns_cookie;
	err = run_bpf__load(skeleton);
	if (err) {
		run_bpf__destroy(skeleton);
		return err;
	}
	steer->skeleton = skeleton;
	publish_listeners(steer);
	atomic_store(&steer->clients, bpf_map__fd(skeleton->maps.clients));
	return 0;
}

/* By links, which the kernel takes off when we end. 0 or -errno. */
static int attach(struct run_redirect *steer, const char *cgroup)
{
	const struct bpf_program *programs[LINKS] = {
		steer->skeleton->progs.hawser_run_ops,
		steer->skeleton->progs.hawser_connect4,
		steer->skeleton->progs.hawser_connect6,
		steer->skeleton->progs.hawser_getpeername4,
		steer->skeleton->progs.hawser_getpeername6,
	};
	struct steered *steered = calloc(1, sizeof(*steered));
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (!steered)
		err = -ENOMEM;
	for (int i = 0; !err && i < LINKS; i++) {
		steered->links[i] = bpf_program__attach_cgroup(programs[i], fd);
		if (!steered->links[i])
			err = -errno;
	}
	if (fd >= 0)
		close(fd);
	if (err) {
		if (steered)
			steered_free(steered);
		return err;
	}
	steered->next = steer->steered;
	steer->steered = steered;
	ev_timer_again(steer->loop, &steer->sweep);
	return 0;
}

static struct json_object *families_answer(const struct run_redirect *steer)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *families = json_object_new_array();

	if (steer->listener4.port)
		json_object_array_add(families, json_object_new_string("ipv4"));
	if (steer->listener6.port)
		json_object_array_add(families, json_object_new_string("ipv6"));
	json_object_object_add(answer, "families", families);
	return answer;
}

struct json_object *run_redirect_answer(struct run_redirect *steer, struct json_object *request)
{
	struct json_object *cgroup = NULL;
	struct json_object *netns = NULL;
	const char *what = "load the programs";
	char text[160];
	int err;

	if (!json_object_object_get_ex(request, "cgroup", &cgroup) ||
	    !json_object_is_type(cgroup, json_type_string))
		return json_error("run: \"cgroup\" is missing; expected the path of its directory");
	if (steer->off)
		return json_error("hawser run needs BPF, which is switched off: bpf = off");
	if (steer->netns_cookie == 0)
		return json_error("hawser run needs Linux 5.14 or later");
	if (!steer->listener4.port && !steer->listener6.port)
		return json_error("hawser run needs a transparent listener; start hawserd "
				  "with --transparent 127.0.0.1:1090 --transparent [::1]:1090");
	if (json_object_object_get_ex(request, "netns", &netns) &&
	    (uint64_t)json_object_get_int64(netns) != steer->netns_cookie)
		return json_error("hawserd runs in another network namespace, and cannot take "
				  "connections of this one");
	err = load(steer);
	if (!err) {
		what = "attach programs to the cgroup";
		err = attach(steer, json_object_get_string(cgroup));
	}
	if (!err)
		return families_answer(steer);
	if (err == -EPERM)
		return json_error("hawserd may not use BPF; it needs root, or CAP_BPF and "
				  "CAP_NET_ADMIN");
	snprintf(text, sizeof(text), "the kernel does not %s: %s%s", what, strerror(-err),
		 err == -EINVAL ? "; is CONFIG_CGROUP_BPF missing?" : "");
	return json_error(text);
}

bool run_redirect_take(struct run_redirect *steer, const union address *client, union address *to)
{
	const int map = steer ? atomic_load(&steer->clients) : -1;
	struct hawser_run_address key;
	struct hawser_run_address value;

	if (map < 0)
		return false;
	to_map(&key, client);
	/* Nobody else asks for this one: look up and delete need not be one. */
	if (bpf_map_lookup_elem(map, &key, &value))
		return false;
	bpf_map_delete_elem(map, &key);
	from_map(to, &value);
	return true;
}
