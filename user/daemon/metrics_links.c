/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of links, at most LINKS_MAX of them. */
#include "daemon/metrics.h"
#include "links/link_upkeep.h"
#include "links/links.h"
#include "web/exposition.h"

struct row {
	const struct link *link;
	const char *name;
	const struct link_rates *meter;
	struct link_echoes echoes;
	const struct quota_usage *usage; /* NULL: no quota */
};

/* Writes the samples of one link. */
typedef void write_fn(const struct row *row, struct exposition *out);

static void write_info(const struct row *row, struct exposition *out)
{
	exposition_count(out, 1, "link", row->name, "device", row->link->config.device, "role",
			 link_role_words[row->link->config.role], NULL);
}

static void write_up(const struct row *row, struct exposition *out)
{
	exposition_count(out, row->link->state == LINK_STATE_UP, "link", row->name, NULL);
}

static void write_state(const struct row *row, struct exposition *out)
{
	for (enum link_state state = 0; state < LINK_STATES; state++)
		exposition_count(out, row->link->state == state, "link", row->name, "state",
				 link_state_name(state), NULL);
}

static void write_received(const struct row *row, struct exposition *out)
{
	exposition_count(out, row->meter->total.rx, "link", row->name, NULL);
}

static void write_sent(const struct row *row, struct exposition *out)
{
	exposition_count(out, row->meter->total.tx, "link", row->name, NULL);
}

static void write_rate(const struct row *row, struct exposition *out)
{
	const struct link_bytes rate = link_rates_rate(row->meter, LINK_SPAN_MINUTE);

	exposition_count(out, rate.rx, "link", row->name, "direction", "down", NULL);
	exposition_count(out, rate.tx, "link", row->name, "direction", "up", NULL);
}

static void write_rtt(const struct row *row, struct exposition *out)
{
	if (row->echoes.rtt_us > 0)
		exposition_value(out, row->echoes.rtt_us / 1e6, "link", row->name, NULL);
}

static void write_probes(const struct row *row, struct exposition *out)
{
	exposition_count(out, row->echoes.requests, "link", row->name, NULL);
}

static void write_replies(const struct row *row, struct exposition *out)
{
	exposition_count(out, row->echoes.replies, "link", row->name, NULL);
}

static void write_quota(const struct row *row, struct exposition *out)
{
	if (row->usage)
		exposition_count(out, row->link->config.quota, "link", row->name, NULL);
}

static void write_used(const struct row *row, struct exposition *out)
{
	if (row->usage)
		exposition_count(out, row->usage->month.bytes, "link", row->name, NULL);
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

static size_t fill(const struct links *links, struct row rows[LINKS_MAX])
{
	size_t count = 0;
	const struct link *list = links ? links_list(links, &count) : NULL;

	for (size_t i = 0; i < count; i++)
		rows[i] = (struct row){.link = &list[i],
				       .name = list[i].config.name,
				       .meter = links_meter(links, i),
				       .echoes = links_echoes(links, i),
				       .usage = links_usage(links, i)};
	return count;
}

void metrics_write_links(const struct links *links, struct exposition *out)
{
	struct row rows[LINKS_MAX];
	const size_t count = fill(links, rows);

	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		exposition_family(out, families[i].type, families[i].name, families[i].help);
		for (size_t j = 0; j < count; j++)
			families[i].write(&rows[j], out);
	}
	exposition_family(out, METRIC_COUNTER, "hawser_links_put_back",
			  "Times that others had deleted what links need.");
	exposition_count(out, links ? links_upkeep(links)->put_back : 0, NULL);
}
