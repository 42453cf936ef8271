/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session/stats.h"

static void add_all(uint64_t *sum, const uint64_t *more, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += more[i];
}

void stats_add(struct stats *sum, const struct stats *more)
{
	sum->sessions_total += more->sessions_total;
	sum->sessions_active += more->sessions_active;
	sum->bytes_up += more->bytes_up;
	sum->bytes_down += more->bytes_down;
	add_all(sum->protocols, more->protocols, PROTOCOL_COUNT);
	add_all(sum->client_transport, more->client_transport, TRANSPORT_COUNT);
	add_all(sum->server_transport, more->server_transport, TRANSPORT_COUNT);
	add_all(sum->ended, more->ended, CAUSE_COUNT);
	sum->sockmap_entries += more->sockmap_entries;
	sum->sockmap_refused += more->sockmap_refused;
	sum->accept_pauses += more->accept_pauses;
	sum->accept_errors += more->accept_errors;
	sum->tcp_only.remembered += more->tcp_only.remembered;
	sum->tcp_only.tcp_dials += more->tcp_only.tcp_dials;
	sum->tcp_only.retries += more->tcp_only.retries;
	sum->tcp_only.learnt += more->tcp_only.learnt;
	sum->bypassed_by_name += more->bypassed_by_name;
	sum->local_clients += more->local_clients;
	sum->local_redirected += more->local_redirected;
	sum->local_passed += more->local_passed;
}
