/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in the maps of the program bpf/steer.bpf.c, made readable. */
#include "intercept/steer.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <json-c/json.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "config/intercept_method.h"
#include "hawser_steer.h"
#include "intercept/steer_maps.h"
#include "intercept/tc_hook.h"

static void add_text(struct json_object *array, const char *text)
{
	json_object_array_add(array, json_object_new_string(text));
}

static void read_ip(__u32 family, const __u32 ip[static 4], uint16_t port, union address *out)
{
	address_from_bytes(out, family == HAWSER_STEER_IPV6 ? AF_INET6 : AF_INET, ip, port);
}

static struct json_object *list_lan(const struct steer_maps *maps)
{
	struct json_object *array = json_object_new_array();
	__u32 ifindex;
	const __u32 *last = NULL;

	for (; bpf_map_get_next_key(maps->fds[STEER_MAP_LAN], last, &ifindex) == 0;
	     last = &ifindex) {
		char name[IF_NAMESIZE];

		/* One that is gone took its program with it. */
		if (if_indextoname(ifindex, name))
			add_text(array, name);
	}
	return array;
}

static struct json_object *list_prefixes(int fd)
{
	struct json_object *array = json_object_new_array();
	struct hawser_steer_prefix key;
	const struct hawser_steer_prefix *last = NULL;

	for (; bpf_map_get_next_key(fd, last, &key) == 0; last = &key) {
		struct prefix prefix = {.bits = (uint8_t)(key.bits - 8 * sizeof(key.family))};
		char text[PREFIX_TEXT_MAX];

		read_ip(key.family, key.ip, 0, &prefix.base);
		add_text(array, prefix_format(&prefix, text));
	}
	return array;
}

static bool is_port_set(const __u64 words[static HAWSER_STEER_PORT_WORDS], unsigned int port)
{
	return port <= UINT16_MAX &&
	       words[port / HAWSER_STEER_PORT_BITS] >> port % HAWSER_STEER_PORT_BITS & 1;
}

static struct json_object *list_ports(const struct steer_maps *maps)
{
	struct json_object *array = json_object_new_array();
	__u64 words[HAWSER_STEER_PORT_WORDS] = {0};

	for (__u32 i = 0; i < HAWSER_STEER_PORT_WORDS; i++)
		(void)bpf_map_lookup_elem(maps->fds[STEER_MAP_PORTS], &i, &words[i]);
	for (unsigned int first = 0; first <= UINT16_MAX; first++) {
		unsigned int last = first;
		char text[32];

		if (!is_port_set(words, first))
			continue;
		while (is_port_set(words, last + 1))
			last++;
		snprintf(text, sizeof(text), first == last ? "%u" : "%u-%u", first, last);
		add_text(array, text);
		first = last;
	}
	return array;
}

static struct json_object *list_macs(const struct steer_maps *maps)
{
	struct json_object *array = json_object_new_array();
	unsigned char key[sizeof(__u64)];
	const unsigned char *last = NULL;

	for (; bpf_map_get_next_key(maps->fds[STEER_MAP_MACS], last, key) == 0; last = key) {
		char text[32];

		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", key[0], key[1],
			 key[2], key[3], key[4], key[5]);
		add_text(array, text);
	}
	return array;
}

static struct json_object *list_auto_bypass(const struct steer_maps *maps)
{
	struct json_object *array = json_object_new_array();
	const int fd = maps->fds[STEER_MAP_AUTO_BYPASS];
	struct hawser_steer_destination key;
	const struct hawser_steer_destination *last = NULL;
	const uint64_t now_ns = clock_monotonic_ns();

	for (; bpf_map_get_next_key(fd, last, &key) == 0; last = &key) {
		struct json_object *row;
		char text[ADDRESS_TEXT_MAX];
		union address address;
		__u64 ends_ns;

		if (bpf_map_lookup_elem(fd, &key, &ends_ns) || ends_ns <= now_ns)
			continue;
		read_ip(key.family, key.ip, ntohs((uint16_t)key.port), &address);
		row = json_object_new_object();
		json_object_object_add(row, "destination",
				       json_object_new_string(address_format(&address, text)));
		json_object_object_add(row, "expires_s",
				       json_object_new_uint64((ends_ns - now_ns) / 1000000000));
		json_object_array_add(array, row);
	}
	return array;
}

/* Of all CPUs. */
static uint64_t read_counter(const struct steer_maps *maps, enum hawser_steer_counter counter)
{
	const int cpus = libbpf_num_possible_cpus();
	const __u32 key = counter;
	__u64 *values = cpus > 0 ? calloc((size_t)cpus, sizeof(*values)) : NULL;
	uint64_t sum = 0;

	if (values && bpf_map_lookup_elem(maps->fds[STEER_MAP_COUNTERS], &key, values) == 0)
		for (int i = 0; i < cpus; i++)
			sum += values[i];
	free(values);
	return sum;
}

static struct json_object *report_counters(const struct steer_maps *maps, bool has_auto_bypass)
{
	static const char *const names[HAWSER_STEER_COUNTERS] = {
		[HAWSER_STEER_CAUGHT] = "caught",
		[HAWSER_STEER_BYPASSED] = "bypassed",
		[HAWSER_STEER_AUTO_BYPASSED] = "auto_bypassed",
		[HAWSER_STEER_LOCAL] = "local",
		[HAWSER_STEER_MISSED] = "missed",
	};
	struct json_object *counters = json_object_new_object();

	for (int i = 0; i < HAWSER_STEER_COUNTERS; i++)
		if (has_auto_bypass || i != HAWSER_STEER_AUTO_BYPASSED)
			json_object_object_add(counters, names[i],
					       json_object_new_uint64(read_counter(maps, i)));
	return counters;
}

static bool has_auto_bypass(const struct steer_maps *maps)
{
	struct hawser_steer_settings settings = {0};
	const __u32 zero = 0;

	return bpf_map_lookup_elem(maps->fds[STEER_MAP_SETTINGS], &zero, &settings) == 0 &&
	       settings.retry != 0;
}

bool steer_is_up(void)
{
	int program;

	libbpf_set_print(NULL);
	program = tc_hook_find_any(tc_hook_probe(), &tc_steer);
	if (program >= 0)
		close(program);
	return program >= 0;
}

bool steer_is_on(const char *interface)
{
	const __u32 ifindex = if_nametoindex(interface);
	struct hawser_steer_lan lan;
	struct steer_maps maps;
	bool is_on = false;
	int program;

	libbpf_set_print(NULL);
	program = tc_hook_find(tc_hook_probe(), &tc_steer, ifindex);
	if (program < 0)
		return false;
	if (steer_maps_open(&maps, program) == 0) {
		is_on = bpf_map_lookup_elem(maps.fds[STEER_MAP_LAN], &ifindex, &lan) == 0;
		steer_maps_close(&maps);
	}
	close(program);
	return is_on;
}

struct json_object *steer_state(void)
{
	struct json_object *state;
	struct json_object *bypass;
	struct steer_maps maps;
	bool with_auto_bypass;

	libbpf_set_print(NULL);
	if (steer_maps_open_any(&maps))
		return NULL;
	state = json_object_new_object();
	bypass = json_object_new_object();
	with_auto_bypass = has_auto_bypass(&maps);
	json_object_object_add(state, "up", json_object_new_boolean(true));
	json_object_object_add(state, "method",
			       json_object_new_string(intercept_method_words[INTERCEPT_BPF]));
	json_object_object_add(state, "lan", list_lan(&maps));
	json_object_object_add(state, "counters", report_counters(&maps, with_auto_bypass));
	json_object_object_add(bypass, "destination",
			       list_prefixes(maps.fds[STEER_MAP_DESTINATIONS]));
	json_object_object_add(bypass, "source", list_prefixes(maps.fds[STEER_MAP_SOURCES]));
	json_object_object_add(bypass, "port", list_ports(&maps));
	json_object_object_add(bypass, "mac", list_macs(&maps));
	json_object_object_add(state, "bypass", bypass);
	if (with_auto_bypass)
		json_object_object_add(state, "auto_bypass", list_auto_bypass(&maps));
	steer_maps_close(&maps);
	return state;
}
