/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A quick link and a slow one, and seconds that pass with these rates. */
#ifndef HAWSER_LINK_DEMOTION_FIXTURE_H
#define HAWSER_LINK_DEMOTION_FIXTURE_H

#include "links/link_demotion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DSL, SAT, COUNT };

#define MBIT 125000.

static struct link_demotion demotion;
static struct link links[COUNT];
static struct link_sight sights[COUNT];
static double now_s;

static inline void mark(void)
{
	for (size_t i = 0; i < COUNT; i++)
		links[i].state = LINK_STATE_UP;
	link_demotion_mark(&demotion, links, COUNT);
}

static inline int setup(void **state)
{
	(void)state;
	demotion = (struct link_demotion){0};
	memset(links, 0, sizeof(links));
	for (size_t i = 0; i < COUNT; i++) {
		links[i].config.role = LINK_ROLE_SHARED;
		links[i].device = (int)i + 1;
		links[i].table = LINK_TABLE_FIRST + 1 + (uint32_t)i;
		links[i].paths[IP_V4].works = true;
	}
	sights[DSL] = (struct link_sight){.rtt_us = 20000, .ping_us = 20000};
	sights[SAT] = (struct link_sight){.rtt_us = 600000, .ping_us = 600000};
	now_s = 5000;
	/* They have moved for long. */
	for (size_t i = 0; i < COUNT; i++)
		demotion.entries[link_slot(links[i].table)] = (struct link_demotion_entry){
			.device = links[i].device, .rtt_us = sights[i].rtt_us, .rtt_at_s = now_s};
	mark();
	return 0;
}

static inline void run(unsigned int seconds, double dsl, double sat)
{
	for (unsigned int s = 0; s < seconds; s++) {
		now_s += 1;
		sights[DSL].rate = dsl * MBIT;
		sights[SAT].rate = sat * MBIT;
		if (link_demotion_look(&demotion, now_s, links, sights, COUNT))
			mark();
	}
}

/* The others carry more as soon as it is set aside. */
static inline void demote(void)
{
	run(5, 25, 1);
	assert_int_equal(links[SAT].state, LINK_STATE_TRIAL);
	assert_true(link_is_backup(&links[SAT]));
	run(5, 47, 0);
	assert_int_equal(links[SAT].state, LINK_STATE_DEMOTED);
	assert_true(link_is_backup(&links[SAT]));
}

#endif
