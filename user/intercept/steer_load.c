/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program bpf/steer.bpf.c, loaded and told what to take. */
#include "intercept/steer_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/ether.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "hawser_steer.h"
#include "intercept/nft_rules.h"
#include "intercept/steer_maps.h"
#include "intercept/steer_mark.h"
#include "steer.skel.h"

static const __u32 present = 1; /* the value of what is only looked for */

/* The bytes of an address of this family, at ip. */
static void copy_ip(const union address *address, __u32 ip[static 4])
{
	if (address->sa.sa_family == AF_INET6)
		memcpy(ip, &address->in6.sin6_addr, sizeof(address->in6.sin6_addr));
	else
		memcpy(ip, &address->in4.sin_addr, sizeof(address->in4.sin_addr));
}

static void tell_listener(const union address *address, struct hawser_steer_listener *out)
{
	if (address->sa.sa_family == AF_UNSPEC)
		return;
	copy_ip(address, out->ip);
	out->port = htons(address_port(address));
	out->present = 1;
}

static int add_prefixes(const struct bpf_map *map, struct json_object *list)
{
	for (size_t i = 0; i < json_length(list); i++) {
		struct hawser_steer_prefix key = {0};
		struct prefix prefix;

		if (prefix_parse(json_object_get_string(json_object_array_get_idx(list, i)),
				 &prefix))
			return -EINVAL;
		key.family = prefix.base.sa.sa_family == AF_INET6 ? HAWSER_STEER_IPV6
								  : HAWSER_STEER_IPV4;
		key.bits = 8 * sizeof(key.family) + prefix.bits;
		copy_ip(&prefix.base, key.ip);
		if (bpf_map_update_elem(bpf_map__fd(map), &key, &present, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int add_macs(const struct bpf_map *map, struct json_object *list)
{
	for (size_t i = 0; i < json_length(list); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));
		unsigned char mac[sizeof(__u64)] = {0};

		if (!ether_aton_r(text, (struct ether_addr *)mac))
			return -EINVAL;
		if (bpf_map_update_elem(bpf_map__fd(map), mac, &present, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int add_ports(const struct bpf_map *map, struct json_object *list)
{
	__u64 words[HAWSER_STEER_PORT_WORDS] = {0};

	for (size_t i = 0; i < json_length(list); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));
		char *end;
		const unsigned long first = strtoul(text, &end, 10);
		const unsigned long last = *end == '-' ? strtoul(end + 1, NULL, 10) : first;

		if (first > last || last > UINT16_MAX)
			return -EINVAL;
		for (unsigned long port = first; port <= last; port++)
			words[port / HAWSER_STEER_PORT_BITS] |= 1ULL
								<< port % HAWSER_STEER_PORT_BITS;
	}
	for (__u32 i = 0; i < HAWSER_STEER_PORT_WORDS; i++)
		if (words[i] && bpf_map_update_elem(bpf_map__fd(map), &i, &words[i], BPF_ANY))
			return -errno;
	return 0;
}

static int size_map(struct bpf_map *map, struct json_object *list)
{
	const size_t count = json_length(list);

	return bpf_map__set_max_entries(map, count ? (__u32)count : 1);
}

/* Nobody changes them any more, by whatever tool; those that only hawserd may are left open. */
static int freeze(const struct steer_bpf *skeleton)
{
	const struct bpf_map *const maps[] = {skeleton->maps.destinations, skeleton->maps.sources,
					      skeleton->maps.macs, skeleton->maps.ports};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (bpf_map_freeze(bpf_map__fd(maps[i])))
			return -errno;
	return 0;
}

static int first_beat(const struct steer_bpf *skeleton)
{
	struct steer_maps maps;
	int err = steer_maps_open(&maps, bpf_program__fd(skeleton->progs.hawser_steer));

	if (err)
		return err;
	err = steer_maps_beat(&maps, true);
	steer_maps_close(&maps);
	return err;
}

struct steer_bpf *steer_open(void)
{
	return steer_bpf__open();
}

int steer_load(const struct intercept_plan *plan, struct steer_bpf **out)
{
	struct json_object *destination = json_member(plan->bypass, "destination");
	struct json_object *source = json_member(plan->bypass, "source");
	struct json_object *mac = json_member(plan->bypass, "mac");
	struct steer_bpf *skeleton = steer_open();
	struct hawser_steer_settings settings = {.mark = STEER_MARK, .retry = plan->auto_bypass};
	int err;

	if (!skeleton)
		return -errno;
	tell_listener(&plan->listener[INTERCEPT_IPV4], &settings.ipv4);
	tell_listener(&plan->listener[INTERCEPT_IPV6], &settings.ipv6);
	skeleton->rodata->settings = settings;
	err = size_map(skeleton->maps.destinations, destination);
	if (!err)
		err = size_map(skeleton->maps.sources, source);
	if (!err)
		err = size_map(skeleton->maps.macs, mac);
	if (!err)
		err = steer_bpf__load(skeleton);
	if (!err)
		err = add_prefixes(skeleton->maps.destinations, destination);
	if (!err)
		err = add_prefixes(skeleton->maps.sources, source);
	if (!err)
		err = add_macs(skeleton->maps.macs, mac);
	if (!err)
		err = add_ports(skeleton->maps.ports, json_member(plan->bypass, "port"));
	if (!err)
		err = freeze(skeleton);
	if (!err)
		err = first_beat(skeleton);
	if (err)
		steer_bpf__destroy(skeleton);
	else
		*out = skeleton;
	return err;
}
