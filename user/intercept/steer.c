/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts the program bpf/steer.bpf.c on interfaces, and takes it off. */
#include "intercept/steer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "hawser_steer.h"
#include "intercept/nft_rules.h"
#include "intercept/steer_load.h"
#include "intercept/tc_hook.h"
#include "steer.skel.h"

/* What is done on one interface, so that it can be undone. */
struct place {
	unsigned int ifindex;
	const char *name;
	int replaced; /* the program from before; negative: there is none */
	struct hawser_steer_lan lan;
};

static int explain(int err, char *reason, size_t size, const char *what)
{
	snprintf(reason, size, "%s: %s%s", what, strerror(-err),
		 err == -EPERM ? "; it needs root" : "");
	return err;
}

static bool has_mac(const char *name)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool yes;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	yes = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0 &&
	      request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	if (fd >= 0)
		close(fd);
	return yes;
}

/* Fills places, of which there is room for all of lan, with those that exist. Returns how many. */
static size_t find_places(enum tc_hook hook, struct json_object *lan, struct place *places)
{
	size_t count = 0;

	for (size_t i = 0; i < json_length(lan); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(lan, i));
		struct place place = {.ifindex = if_nametoindex(name), .name = name};
		bool twice = false;

		for (size_t other = 0; other < count; other++)
			twice = twice || places[other].ifindex == place.ifindex;
		if (place.ifindex == 0 || twice)
			continue;
		place.replaced = tc_hook_find(hook, &tc_steer, place.ifindex);
		place.lan.has_mac = has_mac(name);
		places[count++] = place;
	}
	return count;
}

static int tell_place(const struct steer_bpf *skeleton, const struct place *place)
{
	return bpf_map_update_elem(bpf_map__fd(skeleton->maps.lan), &place->ifindex, &place->lan,
				   BPF_ANY)
		       ? -errno
		       : 0;
}

static int attach(enum tc_hook hook, const struct steer_bpf *skeleton, const struct place *place)
{
	return tc_hook_attach(hook, &tc_steer, place->ifindex,
			      bpf_program__fd(skeleton->progs.hawser_steer), place->replaced);
}

static void undo(enum tc_hook hook, const struct steer_bpf *skeleton, const struct place *place)
{
	const int program = bpf_program__fd(skeleton->progs.hawser_steer);

	if (place->replaced >= 0)
		(void)tc_hook_attach(hook, &tc_steer, place->ifindex, place->replaced, program);
	else
		(void)tc_hook_detach(hook, &tc_steer, place->ifindex, program);
}

static int attach_all(enum tc_hook hook, const struct steer_bpf *skeleton, struct place *places,
		      size_t count, char *reason, size_t size)
{
	int err = 0;

	/* Before the first sees a packet: what would leave by any of them is left alone. */
	for (size_t i = 0; !err && i < count; i++)
		err = tell_place(skeleton, &places[i]);
	if (err)
		return explain(err, reason, size, "cannot write the map of interfaces");
	for (size_t i = 0; i < count; i++) {
		err = attach(hook, skeleton, &places[i]);
		if (err) {
			explain(err, reason, size, places[i].name);
			while (i-- > 0)
				undo(hook, skeleton, &places[i]);
			break;
		}
	}
	return err;
}

/* From all interfaces but count places. */
static int detach_others(enum tc_hook hook, const struct place *places, size_t count)
{
	struct if_nameindex *all = if_nameindex();
	int err = all ? 0 : -errno;

	for (struct if_nameindex *i = all; i && i->if_index && !err; i++) {
		bool keep = false;
		int program;

		for (size_t place = 0; place < count; place++)
			keep = keep || places[place].ifindex == i->if_index;
		if (keep)
			continue;
		program = tc_hook_find(hook, &tc_steer, i->if_index);
		if (program == -ENOENT)
			continue;
		if (program < 0) {
			err = program;
			break;
		}
		err = tc_hook_detach(hook, &tc_steer, i->if_index, program);
		close(program);
	}
	if (all)
		if_freenameindex(all);
	return err;
}

int steer_up(const struct intercept_plan *plan, char *reason, size_t size)
{
	const enum tc_hook hook = tc_hook_probe();
	struct place *places = calloc(json_length(plan->lan), sizeof(*places));
	struct steer_bpf *skeleton = NULL;
	size_t count = 0;
	int err;

	libbpf_set_print(NULL);
	if (!places)
		return explain(-ENOMEM, reason, size, "cannot start");
	count = find_places(hook, plan->lan, places);
	if (count == 0) {
		err = explain(-ENODEV, reason, size, "none of the LAN's interfaces is there");
		goto out;
	}
	err = steer_load(plan, &skeleton);
	if (err) {
		explain(err, reason, size, "cannot load the program");
		goto out;
	}
	err = attach_all(hook, skeleton, places, count, reason, size);
	if (err)
		goto out;
	if (detach_others(hook, places, count))
		explain(-EPERM, reason, size,
			"cannot remove the program from the interfaces of before");
out:
	for (size_t i = 0; i < count; i++)
		if (places[i].replaced >= 0)
			close(places[i].replaced);
	steer_bpf__destroy(skeleton);
	free(places);
	return err;
}

int steer_down(void)
{
	libbpf_set_print(NULL);
	return detach_others(tc_hook_probe(), NULL, 0);
}
