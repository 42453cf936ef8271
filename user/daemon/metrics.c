/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/metrics.h"

#include "access_log/access_log.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/report.h"
#include "net/kernel_version.h"
#include "on_event/on_event.h"
#include "session/stats.h"
#include "web/exposition.h"

static const char *const direction_names[DIRECTIONS] = {[UP] = "up", [DOWN] = "down"};

static void gauge(struct exposition *out, const char *name, const char *help, double value)
{
	exposition_family(out, METRIC_GAUGE, name, help);
	exposition_value(out, value, NULL);
}

static void counter(struct exposition *out, const char *name, const char *help, uint64_t count)
{
	exposition_family(out, METRIC_COUNTER, name, help);
	exposition_count(out, count, NULL);
}

static void write_daemon(const struct report_source *source, struct exposition *out)
{
	const struct report_reload *reload = &source->reload;
	char kernel[KERNEL_VERSION_TEXT_MAX];

	exposition_family(out, METRIC_INFO, "hawser_build", "Versions of hawserd and the kernel.");
	exposition_count(out, 1, "version", HAWSER_VERSION, "kernel",
			 kernel_version_format(kernel_version_get(), kernel), NULL);
	gauge(out, "hawser_draining", "Whether no new sessions are taken.", source->draining);
	gauge(out, "hawser_workers", "Threads that move bytes.", (double)source->worker_count);
	gauge(out, "hawser_config_reload_success",
	      "Whether the last reload took the configuration; 1 before the first.",
	      reload->at_s == 0 || !reload->failed);
	gauge(out, "hawser_config_reload_timestamp_seconds",
	      "When the configuration was last reloaded; 0 before the first.", reload->time_s);
}

static void write_sessions(const struct stats *sum, struct exposition *out)
{
	gauge(out, "hawser_sessions", "Sessions at this moment.", (double)sum->sessions_active);
	gauge(out, "hawser_sessions_limit", "Sessions that there are file descriptors for.",
	      descriptors_max(DESCRIPTORS_SESSION));
	counter(out, "hawser_sessions_started", "Clients that were accepted.", sum->sessions_total);
	exposition_family(out, METRIC_COUNTER, "hawser_sessions_ended",
			  "Sessions that are over, by cause; none is the regular end.");
	for (enum cause cause = CAUSE_NONE; cause < CAUSE_COUNT; cause++)
		exposition_count(out, sum->ended[cause], "cause",
				 cause == CAUSE_NONE ? "none" : cause_info(cause)->name, NULL);
	exposition_family(out, METRIC_COUNTER, "hawser_requests",
			  "Destinations that clients asked for, by protocol.");
	for (enum protocol protocol = PROTOCOL_NONE + 1; protocol < PROTOCOL_COUNT; protocol++)
		exposition_count(out, sum->protocols[protocol], "protocol", protocol_name(protocol),
				 NULL);
	exposition_family(out, METRIC_HISTOGRAM, "hawser_connect_duration_seconds",
			  "From a client's request to a connection, name look-up included.");
	exposition_histogram(out, &sum->connect[STATS_DIRECT], "via", "direct");
	exposition_histogram(out, &sum->connect[STATS_BY_EXIT], "via", "exit");
	exposition_family(out, METRIC_HISTOGRAM, "hawser_first_byte_duration_seconds",
			  "From a client's request to the first byte of the destination.");
	exposition_histogram(out, &sum->first_byte, NULL, NULL);
}

static void write_transports(const uint64_t *counts, const char *name, const char *help,
			     struct exposition *out)
{
	exposition_family(out, METRIC_COUNTER, name, help);
	for (enum transport transport = TRANSPORT_NONE + 1; transport < TRANSPORT_COUNT;
	     transport++)
		exposition_count(out, counts[transport], "transport", transport_name(transport),
				 NULL);
}

/* Of the pairs of transports that have moved something, as most never do. */
static void write_bytes_of(const struct relay_counters *counters, enum direction direction,
			   enum relay_mover mover, struct exposition *out)
{
	for (enum transport client = 0; client < TRANSPORT_COUNT; client++)
		for (enum transport upstream = 0; upstream < TRANSPORT_COUNT; upstream++)
			if (counters->bytes[direction][mover][client][upstream] > 0)
				exposition_count(
					out, counters->bytes[direction][mover][client][upstream],
					"direction", direction_names[direction], "tier",
					relay_mover_name(mover), "client", transport_name(client),
					"upstream", transport_name(upstream), NULL);
}

static void write_relay(const struct stats *sum, struct exposition *out)
{
	exposition_family(out, METRIC_COUNTER, "hawser_bytes",
			  "Payload of sessions, by direction.");
	for (enum direction direction = UP; direction < DIRECTIONS; direction++)
		exposition_count(out, relay_counters_sum(&sum->relay, direction), "direction",
				 direction_names[direction], NULL);
	exposition_family(out, METRIC_COUNTER, "hawser_moved_bytes",
			  "The same, also by tier and by the transports of both connections.");
	for (enum direction direction = UP; direction < DIRECTIONS; direction++)
		for (enum relay_mover mover = 0; mover < RELAY_MOVERS; mover++)
			write_bytes_of(&sum->relay, direction, mover, out);
	write_transports(sum->client_transport, "hawser_client_connections",
			 "Clients, by what their connection turned out to be.", out);
	write_transports(sum->server_transport, "hawser_upstream_connections",
			 "Connections to destinations and exits, likewise.", out);
	counter(out, "hawser_sockmap_entries", "Times that a session entered the sockmap.",
		sum->relay.sockmap_entries);
	counter(out, "hawser_sockmap_refusals", "Times that it could not.",
		sum->relay.sockmap_refused);
	gauge(out, "hawser_tcp_only_destinations",
	      "Destinations that are known not to speak Multipath TCP.",
	      (double)sum->tcp_only.remembered);
	counter(out, "hawser_tcp_only_dials", "Connections made as plain TCP for that.",
		sum->tcp_only.tcp_dials);
	counter(out, "hawser_bypassed_by_name", "Sessions dialled as plain TCP by bypass-domain.",
		sum->bypassed_by_name);
	counter(out, "hawser_accept_pauses",
		"Times that accepting paused for want of file descriptors or memory.",
		sum->accept_pauses);
	counter(out, "hawser_accept_errors", "Clients that were gone before they were accepted.",
		sum->accept_errors);
	counter(out, "hawser_worker_rounds", "Rounds of the workers' loops.", sum->rounds);
}

static void write_told(const struct report_source *source, struct exposition *out)
{
	counter(out, "hawser_log_dropped_lines", "Lines of the log that nobody took in time.",
		log_dropped());
	if (source->access_log) {
		const struct access_log_state state = access_log_state(source->access_log);

		counter(out, "hawser_access_log_lines", "Lines of the access log.", state.lines);
		counter(out, "hawser_access_log_dropped_lines",
			"Lines of it that could not be written.", state.dropped);
	}
	if (source->on_event) {
		const struct on_event_state state = on_event_state(source->on_event);

		counter(out, "hawser_event_programs_run", "Times that on-event's program was run.",
			state.run);
		counter(out, "hawser_event_programs_failed", "Times that it failed or was killed.",
			state.failed);
		counter(out, "hawser_events_dropped", "Events that too many waited before.",
			state.dropped);
	}
}

void metrics_write(const struct report_source *source, struct exposition *out)
{
	const struct stats sum = report_sum_stats(source);

	write_daemon(source, out);
	write_sessions(&sum, out);
	write_relay(&sum, out);
	metrics_write_links(source->links, out);
	metrics_write_exits(source->config, out);
	write_told(source, out);
	metrics_write_process(source->started, out);
}
