/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of links, at most LINKS_MAX of them. */
#include "daemon/metrics.h"
#include "links/link_upkeep.h"
#include "links/links.h"
#include "web/exposition.h"

/* Writes the samples of one link. */
typedef void write_fn(const struct links *links, size_t index, const char *name,
		      struct exposition *out);

static void write_info(const struct links *links, size_t index, const char *name,
		       struct exposition *out)
{
	const struct link *link = &links_list(links, &(size_t){0})[index];

	exposition_count(out, 1, "link", name, "device", link->config.device, "role",
			 link_role_words[link->config.role], NULL);
}

static void write_up(const struct links *links, size_t index, const char *name,
		     struct exposition *out)
{
	const struct link *link = &links_list(links, &(size_t){0})[index];

	exposition_count(out, link->state == LINK_STATE_UP, "link", name, NULL);
}

static void write_state(const struct links *links, size_t index, const char *name,
			struct exposition *out)
{
	const struct link *link = &links_list(links, &(size_t){0})[index];

	for (enum link_state state = 0; state < LINK_STATES; state++)
		exposition_count(out, link->state == state, "link", name, "state",
				 link_state_name(state), NULL);
}

static void write_received(const struct links *links, size_t index, const char *name,
			   struct exposition *out)
{
	exposition_count(out, links_meter(links, index)->total.rx, "link", name, NULL);
}

static void write_sent(const struct links *links, size_t index, const char *name,
		       struct exposition *out)
{
	exposition_count(out, links_meter(links, index)->total.tx, "link", name, NULL);
}

static void write_rate(const struct links *links, size_t index, const char *name,
		       struct exposition *out)
{
	const struct link_bytes rate = link_rates_rate(links_meter(links, index), LINK_SPAN_MINUTE);

	exposition_count(out, rate.rx, "link", name, "direction", "down", NULL);
	exposition_count(out, rate.tx, "link", name, "direction", "up", NULL);
}

static void write_rtt(const struct links *links, size_t index, const char *name,
		      struct exposition *out)
{
	const struct link_echoes echoes = links_echoes(links, index);

	if (echoes.rtt_us > 0)
		exposition_value(out, echoes.rtt_us / 1e6, "link", name, NULL);
}

static void write_probes(const struct links *links, size_t index, const char *name,
			 struct exposition *out)
{
	exposition_count(out, links_echoes(links, index).requests, "link", name, NULL);
}

static void write_replies(const struct links *links, size_t index, const char *name,
			  struct exposition *out)
{
	exposition_count(out, links_echoes(links, index).replies, "link", name, NULL);
}

static void write_quota(const struct links *links, size_t index, const char *name,
			struct exposition *out)
{
	const struct link *link = &links_list(links, &(size_t){0})[index];

	if (links_usage(links, index))
		exposition_count(out, link->config.quota, "link", name, NULL);
}

static void write_used(const struct links *links, size_t index, const char *name,
		       struct exposition *out)
{
	const struct quota_usage *usage = links_usage(links, index);

	if (usage)
		exposition_count(out, usage->month.bytes, "link", name, NULL);
}

static const struct {
	enum metric_type type;
	const char *name;
	const char *help;
	write_fn *write;
} families[] = {
	{METRIC_INFO, "hawser_link", "Interface and role of a link.", write_info},
	{METRIC_GAUGE, "hawser_link_up", "Whether new sessions begin on the link.", write_up},
	{METRIC_GAUGE, "hawser_link_state", "1 for the state that the link is in, else 0.",
	 write_state},
	{METRIC_COUNTER, "hawser_link_receive_bytes", "What the link's interface has received.",
	 write_received},
	{METRIC_COUNTER, "hawser_link_transmit_bytes", "What the link's interface has sent.",
	 write_sent},
	{METRIC_GAUGE, "hawser_link_rate_bytes_per_second",
	 "What it has carried in a second of the last minute, on average.", write_rate},
	{METRIC_GAUGE, "hawser_link_rtt_seconds",
	 "Round-trip time of the last probe that was answered.", write_rtt},
	{METRIC_COUNTER, "hawser_link_probes",
	 "Echo requests through the link, to who has ever answered.", write_probes},
	{METRIC_COUNTER, "hawser_link_probe_replies", "How many of them were answered.",
	 write_replies},
	{METRIC_GAUGE, "hawser_link_quota_bytes", "What the link may carry until its reset day.",
	 write_quota},
	{METRIC_GAUGE, "hawser_link_quota_used_bytes", "What it has carried since.", write_used},
};

void metrics_write_links(const struct links *links, struct exposition *out)
{
	size_t count = 0;
	const struct link *list = links ? links_list(links, &count) : NULL;

	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		exposition_family(out, families[i].type, families[i].name, families[i].help);
		for (size_t j = 0; j < count; j++)
			families[i].write(links, j, list[j].config.name, out);
	}
	exposition_family(out, METRIC_COUNTER, "hawser_links_put_back",
			  "Times that others had deleted what links need.");
	exposition_count(out, links ? links_upkeep(links)->put_back : 0, NULL);
}
