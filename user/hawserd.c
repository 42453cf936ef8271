/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon: wires configuration, listening sockets, workers, control socket and signals together.
 */
#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "accel/local.h"
#include "accel/sockmap.h"
#include "accel/sockmap_probe.h"
#include "auth/gate.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop_clock.h"
#include "config/config.h"
#include "config/config_load.h"
#include "config/options.h"
#include "daemon/control.h"
#include "daemon/heartbeat.h"
#include "daemon/interception.h"
#include "daemon/listen_set.h"
#include "daemon/open_files.h"
#include "daemon/privileges.h"
#include "daemon/report.h"
#include "daemon/worker.h"
#include "intercept/run_redirect.h"
#include "links/links.h"
#include "net/kernel.h"
#include "shared/affinity.h"
#include "shared/auth_penalty.h"
#include "shared/exit_state.h"
#include "shared/recent_dials.h"
#include "upstream/exit_memory.h"

#define EXIT_CONFIG 2

/* A slot of the sockmap takes about 250 bytes of kernel memory, used or not. */
#define SOCKMAP_SLOTS_MAX 16384

/* While draining, how often to look whether the last session has ended. */
#define DRAIN_POLL_S 0.1

#define MINUTE_S 60.

struct daemon {
	struct ev_loop *loop;
	const struct options *options;
	struct config *config;
	struct listen_set listening;
	struct sockmap *sockmap;
	struct worker **workers;
	size_t worker_count;
	struct local *local;
	struct auth_penalty *penalty;
	struct recent_dials *recent_dials;
	struct affinity *affinity;
	struct links *links;
	struct control *control;
	struct heartbeat *heartbeat;
	struct exit_memory *exits;
	struct interception *interception;
	struct run_redirect *run;
	struct report_source report;
	ev_signal hangup;
	ev_signal terminate;
	ev_signal interrupt;
	ev_timer minute;
	ev_timer drain;
	ev_tstamp drain_until;
};

static void workers_configure(struct daemon *daemon, bool listening)
{
	size_t count = daemon->config->listen_count;
	int *fds = calloc(count, sizeof(*fds));

	if (!fds)
		listening = false;
	for (size_t w = 0; w < daemon->worker_count; w++) {
		for (size_t i = 0; listening && i < count; i++)
			fds[i] = daemon->listening.fds[i * daemon->worker_count + w];
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
			.local = daemon->local,
			.penalty = daemon->penalty,
			.recent_dials = daemon->recent_dials,
			.affinity = daemon->affinity,
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
	if (!daemon->sockmap) {
		log_error("%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	sockmap_probe(daemon->sockmap);
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
	if (!daemon->local) {
		log_error("%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	local_listen(daemon->local, config->listen, config->listen_count);
	return 0;
}

static void on_links(void *context, const struct link_choices *choices)
{
	struct daemon *daemon = context;

	for (size_t w = 0; w < daemon->worker_count; w++)
		worker_set_links(daemon->workers[w], choices);
}

static int start_links(struct daemon *daemon)
{
	daemon->links = links_open(daemon->loop, daemon->config, on_links, daemon);
	if (daemon->links)
		return 0;
	log_error("%s", strerror(ENOMEM));
	return -ENOMEM;
}

static struct json_object *on_control(void *context, const char *command,
				      struct json_object *request)
{
	struct daemon *daemon = context;

	/* The only command that changes something. */
	if (strcmp(command, "run") == 0)
		return run_redirect_answer(daemon->run, request);
	return report_answer(&daemon->report, command, request);
}

/* Without a control socket the daemon still proxies: only a path that was asked for must work. */
static const char *control_error_text(int err)
{
	switch (err) {
	case EADDRINUSE:
		return "another hawserd answers there; --control chooses another";
	case EPERM:
		return "its directory belongs to somebody else; --control chooses another";
	case EACCES:
		return "others may write to its directory, or it is closed to hawserd; --control "
		       "chooses another";
	default:
		return strerror(err);
	}
}

static int open_control(struct daemon *daemon)
{
	const char *path = daemon->config->control;

	daemon->control = control_open(daemon->loop, path, on_control, daemon);
	if (daemon->control)
		return 0;
	log_write(daemon->config->control_is_default ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
		  "control socket %s: %s", path, control_error_text(errno));
	return daemon->config->control_is_default ? 0 : -errno;
}

static void on_minute(struct ev_loop *loop, ev_timer *timer, int events)
{
	const struct daemon *daemon = timer->data;

	(void)loop;
	(void)events;
	auth_penalty_log(daemon->penalty);
}

/* What is known of an exit that is in old, too; else nothing is known of it. NULL without memory.
 */
static struct exit_state *adopt_exit(const struct exit_config *exit, const struct config *old)
{
	char text[DESTINATION_TEXT_MAX];
	char old_text[DESTINATION_TEXT_MAX];

	destination_format(&exit->destination, text);
	for (size_t i = 0; old && i < old->exit_count; i++) {
		const struct exit_config *same = &old->exits[i];

		if (strcmp(same->name, exit->name) == 0 &&
		    strcmp(destination_format(&same->destination, old_text), text) == 0 &&
		    sodium_memcmp(same->tokens.token, exit->tokens.token,
				  sizeof(*exit->tokens.token)) == 0)
			return exit_state_get(same->state);
	}
	return exit_state_new();
}

/* What outlives a reload, as far as it is in both configurations: accounts of tokens, and what is
 * known of exits. old is NULL at the start. */
static int adopt(struct config *new, const struct config *old)
{
	int err = gates_adopt(new->gates, new->gate_count, old ? old->gates : NULL,
			      old ? old->gate_count : 0, clock_now_ms());

	for (size_t i = 0; !err && i < new->exit_count; i++) {
		new->exits[i].state = adopt_exit(&new->exits[i], old);
		err = new->exits[i].state ? 0 : -ENOMEM;
		if (!err && new->exits[i].destination.host[0] == '\0')
			exit_state_set_address(new->exits[i].state,
					       &new->exits[i].destination.address);
	}
	if (err)
		log_error("%s", strerror(-err));
	return err;
}

static void stop(struct daemon *daemon)
{
	ev_break(daemon->loop, EVBREAK_ALL);
}

static void on_interrupt(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)loop;
	(void)events;
	stop(signal->data);
}

static void on_drain_poll(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = timer->data;
	uint64_t active = 0;

	(void)events;
	for (size_t w = 0; w < daemon->worker_count; w++) {
		struct stats stats;

		worker_get_stats(daemon->workers[w], &stats);
		active += stats.sessions_active;
	}
	if (active > 0 && loop_clock_s(loop) < daemon->drain_until)
		return;
	if (active > 0)
		log_warning("drain time is over: %llu sessions are cut",
			    (unsigned long long)active);
	stop(daemon);
}

static void on_terminate(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct daemon *daemon = signal->data;

	(void)events;
	if (ev_is_active(&daemon->drain)) {
		stop(daemon);
		return;
	}
	interception_stop(daemon->interception);
	heartbeat_stop(daemon->heartbeat);
	run_redirect_listen(daemon->run, NULL);
	workers_configure(daemon, false);
	listen_set_close(&daemon->listening);
	log_info("draining for up to %g s; another SIGTERM stops at once",
		 daemon->config->timeouts.drain_s);
	daemon->drain_until = loop_clock_s(loop) + daemon->config->timeouts.drain_s;
	ev_timer_again(loop, &daemon->drain);
	on_drain_poll(loop, &daemon->drain, 0);
}

static void warn_of_what_needs_a_restart(const struct config *old, const struct config *new)
{
	if (old->workers != new->workers)
		log_warning("workers stays %u until a restart", old->workers);
	if (old->relay.bpf != new->relay.bpf ||
	    strcmp(old->relay.bpf_pins, new->relay.bpf_pins) != 0)
		log_warning("bpf and bpf-pins stay as they were until a restart");
	if (old->relay.tune.sockmap_bytes != new->relay.tune.sockmap_bytes)
		log_warning("sockmap-bytes stays %u until a restart",
			    old->relay.tune.sockmap_bytes);
	if (strcmp(old->control, new->control) != 0)
		log_warning("control stays %s until a restart", old->control);
	if (strcmp(old->relay.local_accel ? old->relay.local_accel : "",
		   new->relay.local_accel ? new->relay.local_accel : "") != 0)
		log_warning("local-accel stays %s until a restart",
			    old->relay.local_accel ? old->relay.local_accel : "off");
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct daemon *daemon = signal->data;
	struct config *old = daemon->config;
	struct config *new;
	struct listen_set listening;

	(void)loop;
	(void)events;
	if (ev_is_active(&daemon->drain)) {
		log_warning("not reloading: draining");
		return;
	}
	new = config_load(daemon->options);
	if (!new || adopt(new, old) ||
	    listen_set_open(&listening, new, daemon->worker_count, &daemon->listening)) {
		log_error("the configuration stays as it was");
		config_put(new);
		return;
	}
	gates_revoke(new->gates, new->gate_count, old->gates, old->gate_count);
	warn_of_what_needs_a_restart(old, new);
	log_set_level(new->log_level);
	daemon->config = new;
	daemon->report.config = new;
	/* Until the workers have let go of them, the old sockets must stay open. */
	struct listen_set closing = daemon->listening;

	daemon->listening = listening;
	local_listen(daemon->local, new->listen, new->listen_count);
	workers_configure(daemon, true);
	listen_set_close(&closing);
	run_redirect_listen(daemon->run, new);
	heartbeat_start(daemon->heartbeat, new);
	exit_memory_configure(daemon->exits, new);
	links_configure(daemon->links, new);
	interception_configure(daemon->interception, new);
	privileges_check(new);
	config_put(old);
	log_info("configuration reloaded");
}

static void watch_signal(struct daemon *daemon, ev_signal *watcher, int number,
			 void (*callback)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(watcher, callback, number);
	watcher->data = daemon;
	ev_signal_start(daemon->loop, watcher);
}

static void say_feature(const struct feature_state *feature)
{
	log_info("kernel: %s: %s%s", feature->name, feature->available ? "yes" : "no, ",
		 feature->reason);
}

static void say_what_is_offered(const struct config *config, const struct sockmap *sockmap,
				const struct local *local)
{
	char text[ADDRESS_TEXT_MAX];
	char to[DESTINATION_TEXT_MAX];
	const struct listen_config *socks = NULL;

	for (size_t i = 0; i < config->listen_count; i++) {
		const struct listen_config *listen = &config->listen[i];

		address_format(&listen->address, text);
		if (listen->forward)
			log_info("listening on %s, forwarding to %s", text,
				 destination_format(&listen->to, to));
		else if (listen->transparent)
			log_info("listening on %s, transparent", text);
		else
			log_info("listening on %s (%sSOCKS5, SOCKS4, SOCKS4a, HTTP)", text,
				 listen->gate ? "exit for tokens, " : "");
		if (!listen->forward && !listen->transparent && !listen->gate && !socks)
			socks = listen;
	}
	for (size_t i = 0; i < config->exit_count; i++)
		log_info("exit %s at %s, priority %u, weight %u", config->exits[i].name,
			 destination_format(&config->exits[i].destination, to),
			 config->exits[i].priority, config->exits[i].weight);
	for (int i = 0; i < FEATURE_COUNT; i++)
		say_feature(kernel_feature((enum feature)i));
	for (int i = 0; i < SOCKMAP_FEATURE_COUNT; i++)
		say_feature(sockmap_feature(sockmap, (enum sockmap_feature)i));
	if (config->relay.local_accel)
		say_feature(local_feature(local));
	if (config->mptcp == MPTCP_MODE_ON && !kernel_feature(FEATURE_MPTCP)->available)
		log_warning("mptcp = on, but the kernel has none: every connection will fail");
	if (socks)
		log_info("try: curl -x socks5h://%s http://example.org/",
			 address_format(&socks->address, text));
}

static int run(struct daemon *daemon)
{
	struct open_files files;
	int err = open_files_share(daemon->config, &files);

	if (err)
		return err;
	err = listen_set_open(&daemon->listening, daemon->config, daemon->config->workers, NULL);
	if (err)
		return err;
	daemon->loop = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!daemon->loop) {
		log_error("cannot make an event loop");
		return -ENOMEM;
	}
	err = sockmap_start(daemon, &files);
	if (err)
		return err;
	err = local_start(daemon);
	if (err)
		return err;
	daemon->penalty = auth_penalty_open();
	daemon->recent_dials = recent_dials_open();
	daemon->affinity = affinity_open();
	if (!daemon->penalty || !daemon->recent_dials || !daemon->affinity ||
	    adopt(daemon->config, NULL)) {
		log_error("%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	daemon->run = run_redirect_open(daemon->loop, !daemon->config->relay.bpf);
	if (!daemon->run) {
		log_error("%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	run_redirect_listen(daemon->run, daemon->config);
	daemon->exits = exit_memory_open(daemon->loop);
	if (!daemon->exits) {
		log_error("%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	exit_memory_configure(daemon->exits, daemon->config);
	err = privileges_drop(daemon->config);
	if (err)
		return err;
	err = workers_start(daemon, &files);
	if (err)
		return err;
	err = start_links(daemon);
	if (err)
		return err;
	daemon->report = (struct report_source){.config = daemon->config,
						.sockmap = daemon->sockmap,
						.workers = daemon->workers,
						.worker_count = daemon->worker_count,
						.local = daemon->local,
						.links = daemon->links,
						.started = clock_monotonic_s()};
	err = open_control(daemon);
	if (err)
		return err;
	daemon->heartbeat = heartbeat_open(daemon->loop, daemon->workers, daemon->worker_count);
	if (daemon->heartbeat)
		daemon->interception =
			interception_open(daemon->loop, daemon->heartbeat, daemon->links,
					  daemon->control ? daemon->config->control : NULL);
	if (!daemon->interception) {
		log_error("%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	daemon->report.interception = daemon->interception;
	watch_signal(daemon, &daemon->hangup, SIGHUP, on_hangup);
	watch_signal(daemon, &daemon->terminate, SIGTERM, on_terminate);
	watch_signal(daemon, &daemon->interrupt, SIGINT, on_interrupt);
	ev_timer_init(&daemon->minute, on_minute, MINUTE_S, MINUTE_S);
	daemon->minute.data = daemon;
	ev_timer_start(daemon->loop, &daemon->minute);
	ev_timer_init(&daemon->drain, on_drain_poll, 0., DRAIN_POLL_S);
	daemon->drain.data = daemon;
	workers_configure(daemon, true);
	heartbeat_start(daemon->heartbeat, daemon->config);
	interception_configure(daemon->interception, daemon->config);
	say_what_is_offered(daemon->config, daemon->sockmap, daemon->local);
	ev_run(daemon->loop, 0);
	return 0;
}

static void fini(struct daemon *daemon)
{
	control_close(daemon->control);
	interception_close(daemon->interception);
	heartbeat_close(daemon->heartbeat);
	for (size_t w = 0; w < daemon->worker_count; w++)
		worker_stop(daemon->workers[w]);
	free(daemon->workers);
	exit_memory_close(daemon->exits);
	/* Last of what sessions use. */
	links_close(daemon->links);
	sockmap_close(daemon->sockmap);
	local_close(daemon->local);
	run_redirect_close(daemon->run);
	auth_penalty_close(daemon->penalty);
	recent_dials_close(daemon->recent_dials);
	affinity_close(daemon->affinity);
	listen_set_close(&daemon->listening);
	if (daemon->loop)
		ev_loop_destroy(daemon->loop);
	config_put(daemon->config);
	options_free(daemon->options);
}

int main(int argc, char **argv)
{
	struct daemon daemon = {.options = options_parse(argc, argv)};
	int err;

	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0) {
		log_error("libsodium: no source of random numbers");
		return EXIT_FAILURE;
	}
	daemon.config = config_load(daemon.options);
	if (!daemon.config || options_check_only(daemon.options)) {
		err = daemon.config ? EXIT_SUCCESS : EXIT_CONFIG;
		if (daemon.config)
			printf("%s: ok\n", options_file(daemon.options)
						   ? options_file(daemon.options)
						   : "configuration");
		config_put(daemon.config);
		options_free(daemon.options);
		return err;
	}
	log_set_level(daemon.config->log_level);
	log_begin_service();
	kernel_probe();
	err = run(&daemon);
	fini(&daemon);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
