/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session/stats.h"

static void add_all(uint64_t *sum, const uint64_t *more, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += more[i];
}

static void relay_counters_add(struct relay_counters *sum, const struct relay_counters *more)
{
	add_all(&sum->bytes[0][0][0][0], &more->bytes[0][0][0][0],
		sizeof(sum->bytes) / sizeof(uint64_t));
	sum->sockmap_entries += more->sockmap_entries;
	sum->sockmap_trials += more->sockmap_trials;
	sum->sockmap_trials_won += more->sockmap_trials_won;
	sum->sockmap_refused += more->sockmap_refused;
	sum->packets_taken += more->packets_taken;
	sum->packets_refused += more->packets_refused;
}

void local_counts_add(struct local_counts *sum, struct local_counts more)
{
	sum->clients += more.clients;
	sum->redirected += more.redirected;
	sum->passed += more.passed;
}

void stats_add(struct stats *sum, const struct stats *more)
{
	sum->sessions_total += more->sessions_total;
	sum->sessions_active += more->sessions_active;
	relay_counters_add(&sum->relay, &more->relay);
	add_all(sum->protocols, more->protocols, PROTOCOL_COUNT);
	add_all(sum->client_transport, more->client_transport, TRANSPORT_COUNT);
	add_all(sum->server_transport, more->server_transport, TRANSPORT_COUNT);
	add_all(sum->ended, more->ended, CAUSE_COUNT);
	sum->accept_pauses += more->accept_pauses;
	sum->accept_errors += more->accept_errors;
	sum->rounds += more->rounds;
	sum->tcp_only.remembered += more->tcp_only.remembered;
	sum->tcp_only.tcp_dials += more->tcp_only.tcp_dials;
	sum->tcp_only.retries += more->tcp_only.retries;
	sum->tcp_only.learnt += more->tcp_only.learnt;
	for (size_t i = 0; i < STATS_WAYS; i++)
		histogram_merge(&sum->connect[i], &more->connect[i]);
	histogram_merge(&sum->first_byte, &more->first_byte);
	sum->bypassed_by_name += more->bypassed_by_name;
	local_counts_add(&sum->local, more->local);
}
