/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests through each link, by ICMP and to exits: who answers no more, although the interface has
 * a carrier, and who does again. Main thread only; changes nothing in the system. */
#ifndef HAWSER_LINKS_LINK_PROBE_H
#define HAWSER_LINKS_LINK_PROBE_H

#include <stddef.h>

#include "links/link.h"
#include "links/link_news.h"

struct ev_loop;
struct exit_target;
struct link_probes;

/* A verdict is another than before. */
typedef void link_probes_changed_fn(void *context);

/* NULL without memory. */
struct link_probes *link_probes_open(struct ev_loop *loop, link_probes_changed_fn *changed,
				     void *context);
void link_probes_close(struct link_probes *probes); /* NULL is allowed */

/* Reads answers, and probes the paths of these links that work from now on, and no others. What is
 * known of one whose interface and addresses are as before is kept. Without CAP_NET_RAW nothing is
 * probed. */
void link_probes_follow(struct link_probes *probes, const struct link *links, size_t count);

/* See exit_reach_target(). */
void link_probes_target(struct link_probes *probes, const struct exit_target *targets, size_t count,
			double idle_s);

/* Whether this path has been found to swallow packets. One that has never got an answer shares the
 * fate of the link's other family. */
bool link_probes_silent(const struct link_probes *probes, const struct link *link,
			enum ip_family family);

/* Whether it may be found so in a moment, as far as had been read at link_probes_follow(). */
bool link_probes_in_doubt(const struct link_probes *probes, const struct link *link,
			  enum ip_family family);

/* Whether something has come back by this path, which leads elsewhere than before, or nobody would
 * answer, as far as is known. When that becomes true, it is as if a verdict were another. */
bool link_probes_heard(const struct link_probes *probes, const struct link *link,
		       enum ip_family family);

/* How long the exit takes to answer by this path of a mesh, as it leads now; 0: it has not. */
double link_probes_exit_s(const struct link_probes *probes, const struct link *link,
			  enum ip_family family);

/* The links, a bit for each by link_slot(), that exits have refused, or did not answer by, since
 * the last call. */
uint32_t link_probes_take_doubts(struct link_probes *probes);

/* The round-trip time of the last request through the link that was answered; 0: none was. */
uint32_t link_probes_echo_us(const struct link_probes *probes, const struct link *link);

/* Of requests to those who have ever answered. */
struct link_echoes {
	uint64_t requests;
	uint64_t replies;
	uint32_t rtt_us; /* of the last that was answered; 0: none was */
};

/* Of the link's slot, since the start. */
struct link_echoes link_probes_echoes(const struct link_probes *probes, const struct link *link);

/* Where workers tell what sessions notice; valid as long as the probes. */
struct link_news *link_probes_news(struct link_probes *probes);

#endif
