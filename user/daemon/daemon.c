/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens what the daemon consists of, watches signals, and closes it. */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "accel/local.h"
#include "accel/packets.h"
#include "accel/packets_orphan.h"
#include "accel/packets_probe.h"
#include "accel/sockmap.h"
#include "accel/sockmap_probe.h"
#include "access_log/access_log.h"
#include "base/clock.h"
#include "base/code_pages.h"
#include "base/heap.h"
#include "base/log.h"
#include "config/options.h"
#include "daemon/announce.h"
#include "daemon/daemon_private.h"
#include "daemon/heartbeat.h"
#include "daemon/inherited.h"
#include "daemon/interception.h"
#include "daemon/listen_watch.h"
#include "daemon/metrics.h"
#include "daemon/open_files.h"
#include "daemon/privileges.h"
#include "daemon/usage.h"
#include "daemon/worker.h"
#include "intercept/run_redirect.h"
#include "links/announced.h"
#include "links/links.h"
#include "on_event/on_event.h"
#include "session/hold.h"
#include "shared/affinity.h"
#include "shared/auth_penalty.h"
#include "shared/meeting.h"
#include "shared/portal_guests.h"
#include "shared/recent_dials.h"
#include "speed/speed.h"
#include "upstream/exit_memory.h"
#include "upstream/exit_tell.h"
#include "web/web.h"

/* A slot of the sockmap takes about 250 bytes of kernel memory, used or not. */
#define SOCKMAP_SLOTS_MAX 16384

/* A pair whose packets are forwarded takes about 700. */
#define PACKETS_SLOTS_MAX 4096

#define MINUTE_S 60.

void daemon_configure_workers(struct daemon *daemon, bool listening)
{
	size_t count = daemon->config->listen_count;
	int *fds = calloc(count, sizeof(*fds));

	if (!fds)
		listening = false;
	for (size_t w = 0; w < daemon->worker_count; w++) {
		for (size_t i = 0; listening && i < count; i++)
			fds[i] = daemon->config->listen[i].metrics
					 ? -1
					 : daemon->listening.fds[i * daemon->worker_count + w];
		worker_configure(daemon->workers[w], daemon->config, listening ? fds : NULL);
	}
	free(fds);
}

static int workers_start(struct daemon *daemon, const struct open_files *files)
{
	unsigned int count = daemon->config->workers;
	sigset_t all;
	sigset_t before;

	daemon->workers = calloc(count, sizeof(struct worker *));
	if (!daemon->workers)
		return -ENOMEM;
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (daemon->worker_count < count) {
		struct worker *worker = worker_start(&(struct worker_options){
			.index = (unsigned int)daemon->worker_count,
			.count = count,
			.queries_max = files->queries,
			.unheard_max = files->unheard,
			.sockmap = daemon->sockmap,
			.packets = daemon->packets,
			.local = daemon->local,
			.access_log = daemon->access_log,
			.penalty = daemon->penalty,
			.recent_dials = daemon->recent_dials,
			.affinity = daemon->affinity,
			.guests = daemon->guests,
			.dialled = daemon->dialled,
			.run = daemon->run,
		});

		if (!worker)
			break;
		daemon->workers[daemon->worker_count++] = worker;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (daemon->worker_count < count) {
		log_error("cannot start worker %zu of %u: %s", daemon->worker_count + 1, count,
			  strerror(errno));
		return -errno;
	}
	return 0;
}

/* Of each worker: two for every session of its share, but no more memory than this takes. */
static unsigned int sockmap_slots(const struct open_files *files, const struct config *config)
{
	const uint64_t slots = 2 + 2 * (uint64_t)files->sessions / config->workers;

	return slots < SOCKMAP_SLOTS_MAX ? (unsigned int)slots : SOCKMAP_SLOTS_MAX;
}

static int no_memory(void)
{
	log_error("cannot start: out of memory");
	return -ENOMEM;
}

static int sockmap_start(struct daemon *daemon, const struct open_files *files)
{
	const struct config *config = daemon->config;

	daemon->sockmap = sockmap_open(&(struct sockmap_options){
		.off = !config->relay.bpf,
		.pin_path = config->relay.bpf_pins,
		.workers = config->workers,
		.slots = sockmap_slots(files, config),
		.budget_bytes = config->relay.tune.sockmap_bytes,
		.simulate_refusal = getenv("HAWSER_TEST_REFUSE_BPF") != NULL,
	});
	if (!daemon->sockmap)
		return no_memory();
	sockmap_probe(daemon->sockmap);
	return 0;
}

static int packets_start(struct daemon *daemon, const struct open_files *files)
{
	const struct relay_config *relay = &daemon->config->relay;
	const uint64_t slots = 1 + (uint64_t)files->sessions / daemon->config->workers;
	const char *off = NULL;

	if (!config_wants_packets(relay))
		off = "switched off: expected packets = on, or tier = packets";
	else if (!relay->bpf)
		off = "switched off: bpf = off";
	daemon->packets = packets_open(&(struct packets_options){
		.off = off,
		.workers = daemon->config->workers,
		.slots = slots < PACKETS_SLOTS_MAX ? (unsigned int)slots : PACKETS_SLOTS_MAX,
	});
	daemon->orphans = packets_orphans_open(daemon->loop);
	if (!daemon->packets || !daemon->orphans)
		return no_memory();
	packets_probe(daemon->packets);
	return 0;
}

/* What the kernel refuses is no error: clients are then served by TCP. */
static int local_start(struct daemon *daemon)
{
	const struct config *config = daemon->config;

	if (!config->relay.local_accel)
		return 0;
	daemon->local = local_open(&(struct local_options){
		.off = !config->relay.bpf,
		.cgroup = config->relay.local_accel,
		.workers = config->workers,
		.slots = LOCAL_SLOTS / config->workers,
	});
	if (!daemon->local)
		return no_memory();
	local_listen(daemon->local, config->listen, config->listen_count);
	return 0;
}

static void on_links(void *context, const struct link_choices *choices)
{
	struct daemon *daemon = context;
	uint32_t open = 0;

	for (size_t i = 0; i < choices->count; i++)
		open |= choices->links[i].portal ? 0 : 1U << choices->links[i].slot;
	for (size_t w = 0; w < daemon->worker_count; w++)
		worker_set_links(daemon->workers[w], choices);
	portal_guests_forget(daemon->guests, open);
	speed_take_links(daemon->speed, choices);
}

static int start_on_event(struct daemon *daemon)
{
	daemon->on_event = on_event_open(daemon->loop);
	daemon->exit_tell = exit_tell_open(daemon->loop, daemon->on_event);
	if (!daemon->on_event || !daemon->exit_tell)
		return no_memory();
	daemon_configure_on_event(daemon);
	return 0;
}

void daemon_configure_on_event(struct daemon *daemon)
{
	on_event_configure(daemon->on_event, daemon->config->on_event,
			   daemon->config->timeouts.event_s);
	exit_tell_configure(daemon->exit_tell, daemon->config);
}

static void write_metrics(void *context, struct exposition *out)
{
	const struct daemon *daemon = context;

	metrics_write(&daemon->report, out);
}

static struct json_object *answer_web(void *context, const char *command,
				      struct json_object *request)
{
	const struct daemon *daemon = context;

	return report_answer(&daemon->report, command, request);
}

static int start_web(struct daemon *daemon)
{
	daemon->web = web_open(daemon->loop, &(struct web_source){.answer = answer_web,
								  .metrics = write_metrics,
								  .context = daemon,
								  .penalty = daemon->penalty});
	if (!daemon->web)
		return no_memory();
	daemon_configure_web(daemon);
	return 0;
}

void daemon_configure_web(struct daemon *daemon)
{
	const struct listen_set *set = &daemon->listening;
	int *fds = calloc(set->count * set->workers, sizeof(*fds));
	size_t count = 0;

	for (size_t i = 0; i < set->count * set->workers; i++) {
		if (!set->metrics[i / set->workers] || set->fds[i] < 0)
			continue;
		if (fds)
			fds[count] = set->fds[i];
		count++;
	}
	web_configure(daemon->web, daemon->config, fds, count);
	free(fds);
}

static int start_links(struct daemon *daemon)
{
	daemon->links =
		links_open(daemon->loop, daemon->config, daemon->on_event, on_links, daemon);
	daemon->announced = announced_open(daemon->loop, daemon->links);
	if (!daemon->links || !daemon->announced)
		return no_memory();
	announced_configure(daemon->announced, daemon->config);
	return 0;
}

static void on_minute(struct ev_loop *loop, ev_timer *timer, int events)
{
	const struct daemon *daemon = timer->data;

	(void)loop;
	(void)events;
	auth_penalty_log(daemon->penalty);
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)loop;
	(void)events;
	(void)reload(signal->data);
}

static void on_terminate(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)loop;
	(void)events;
	drain_begin(signal->data, false);
}

static void on_interrupt(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)loop;
	(void)events;
	daemon_stop(signal->data);
}

static void on_files(struct ev_loop *loop, ev_signal *signal, int events)
{
	const struct daemon *daemon = signal->data;

	(void)loop;
	(void)events;
	access_log_reopen(daemon->access_log);
	usage_write(daemon->usage);
}

static void on_successor(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)loop;
	(void)events;
	hand_over(signal->data);
}

static void watch_signal(struct daemon *daemon, ev_signal *watcher, int number,
			 void (*callback)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(watcher, callback, number);
	watcher->data = daemon;
	ev_signal_start(daemon->loop, watcher);
}

static int run(struct daemon *daemon)
{
	struct open_files files;
	int err = open_files_share(daemon->config, &files);

	if (err)
		return err;
	inherited_take();
	err = listen_set_open(&daemon->listening, daemon->config, daemon->config->workers, NULL);
	if (err)
		return err;
	inherited_close();
	daemon->loop = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!daemon->loop) {
		log_error("cannot start: no event loop: neither epoll nor poll works");
		return -ENOMEM;
	}
	err = sockmap_start(daemon, &files);
	if (err)
		return err;
	err = packets_start(daemon, &files);
	if (err)
		return err;
	err = local_start(daemon);
	if (err)
		return err;
	daemon->access_log = access_log_open(daemon->loop);
	daemon->penalty = auth_penalty_open();
	daemon->recent_dials = recent_dials_open();
	daemon->affinity = affinity_open();
	daemon->guests = portal_guests_open();
	daemon->dialled = hold_meeting();
	daemon->listen_watch = listen_watch_open(daemon->loop);
	if (!daemon->access_log || !daemon->penalty || !daemon->recent_dials || !daemon->affinity ||
	    !daemon->guests || !daemon->dialled || !daemon->listen_watch ||
	    reload_adopt(daemon->config, NULL))
		return no_memory();
	daemon->run = run_redirect_open(daemon->loop, !daemon->config->relay.bpf);
	if (!daemon->run)
		return no_memory();
	run_redirect_listen(daemon->run, daemon->config);
	daemon->exits = exit_memory_open(daemon->loop);
	if (!daemon->exits)
		return no_memory();
	exit_memory_configure(daemon->exits, daemon->config);
	err = privileges_drop(daemon->config);
	if (err)
		return err;
	err = access_log_follow(daemon->access_log, daemon->config->access_log);
	if (err)
		return err;
	err = workers_start(daemon, &files);
	if (err)
		return err;
	err = start_on_event(daemon);
	if (err)
		return err;
	err = start_links(daemon);
	if (err)
		return err;
	daemon->usage =
		usage_open(daemon->loop, daemon->workers, daemon->worker_count, daemon->links);
	daemon->speed = speed_open(daemon->loop);
	if (!daemon->usage || !daemon->speed)
		return no_memory();
	daemon->report =
		(struct report_source){.config = daemon->config,
				       .sockmap = daemon->sockmap,
				       .packets = daemon->packets,
				       .workers = daemon->workers,
				       .worker_count = daemon->worker_count,
				       .local = daemon->local,
				       .on_event = daemon->on_event,
				       .usage = daemon->usage,
				       .doctor = &daemon->doctor,
				       .speed = daemon->speed,
				       .access_log = daemon->access_log,
				       .links = daemon->links,
				       .announced = daemon->announced,
				       .started = clock_monotonic_s(),
				       .file = options_file(daemon->options),
				       .awaited_file = options_awaited_file(daemon->options)};
	err = control_take(daemon);
	if (err)
		return err;
	daemon->heartbeat = heartbeat_open(daemon->loop, daemon->workers, daemon->worker_count);
	if (daemon->heartbeat)
		daemon->interception =
			interception_open(daemon->loop, daemon->heartbeat, daemon->links,
					  daemon->control ? daemon->config->control : NULL,
					  ev_is_active(&daemon->control_wait));
	if (!daemon->interception)
		return no_memory();
	daemon->report.interception = daemon->interception;
	err = start_web(daemon);
	if (err)
		return err;
	watch_signal(daemon, &daemon->hangup, SIGHUP, on_hangup);
	watch_signal(daemon, &daemon->terminate, SIGTERM, on_terminate);
	watch_signal(daemon, &daemon->interrupt, SIGINT, on_interrupt);
	watch_signal(daemon, &daemon->files, SIGUSR1, on_files);
	watch_signal(daemon, &daemon->successor, SIGUSR2, on_successor);
	ev_timer_init(&daemon->minute, on_minute, MINUTE_S, MINUTE_S);
	daemon->minute.data = daemon;
	ev_timer_start(daemon->loop, &daemon->minute);
	drain_init(daemon);
	hand_over_init(daemon);
	daemon_configure_workers(daemon, true);
	usage_configure(daemon->usage, daemon->config);
	heartbeat_start(daemon->heartbeat, daemon->config);
	interception_configure(daemon->interception, daemon->config);
	listen_watch_follow(daemon->listen_watch, daemon->config);
	announce(daemon->config, daemon->sockmap, daemon->packets, daemon->local);
	heap_keep_tables(false);
	code_pages_forget();
	/* Not before: the one that serves goes on with what is kept if this one fails. */
	inherited_forget();
	listen_set_keep(&daemon->listening);
	service_ready(daemon);
	ev_run(daemon->loop, 0);
	return 0;
}

static void fini(struct daemon *daemon)
{
	control_release(daemon);
	interception_close(daemon->interception);
	heartbeat_close(daemon->heartbeat);
	web_close(daemon->web);
	usage_close(daemon->usage);
	doctor_record_free(&daemon->doctor);
	speed_close(daemon->speed);
	for (size_t w = 0; w < daemon->worker_count; w++)
		worker_stop(daemon->workers[w]);
	free(daemon->workers);
	exit_memory_close(daemon->exits);
	exit_tell_close(daemon->exit_tell);
	/* Last of what sessions use. */
	announced_close(daemon->announced);
	links_close(daemon->links);
	on_event_close(daemon->on_event);
	sockmap_close(daemon->sockmap);
	packets_close(daemon->packets);
	packets_orphans_close(daemon->orphans);
	local_close(daemon->local);
	run_redirect_close(daemon->run);
	access_log_close(daemon->access_log);
	auth_penalty_close(daemon->penalty);
	recent_dials_close(daemon->recent_dials);
	affinity_close(daemon->affinity);
	portal_guests_close(daemon->guests);
	meeting_close(daemon->dialled);
	listen_watch_close(daemon->listen_watch);
	listen_set_close(&daemon->listening);
	if (daemon->loop)
		ev_loop_destroy(daemon->loop);
	config_put(daemon->config);
}

int daemon_run(const struct options *options, struct config *config)
{
	struct daemon daemon = {.options = options, .config = config};
	int err = run(&daemon);

	fini(&daemon);
	return err;
}
