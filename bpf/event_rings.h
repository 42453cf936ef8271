/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Where a program's events go: one ring per worker. */
#ifndef HAWSER_BPF_EVENT_RINGS_H
#define HAWSER_BPF_EVENT_RINGS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct { /* user space sizes it, and puts the rings in */
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_RINGBUF);
			__uint(max_entries, 4096);
		});
} events SEC(".maps");

#endif
