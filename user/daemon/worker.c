/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thread with its own loop, resolver, listeners and sessions. */
#include "daemon/worker.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "accel/local.h"
#include "base/log.h"
#include "base/loop_clock.h"
#include "daemon/listener.h"
#include "session/hold.h"
#include "session/session.h"
#include "upstream/exit_prober.h"
#include "upstream/resolver.h"
#include "upstream/tcp_only.h"

/* How often --torture shakes the sessions. */
#define TORTURE_S 0.003

typedef void worker_fn(struct worker *worker, void *argument);

struct worker {
	pthread_t thread;
	struct ev_loop *loop;
	struct loop_clock clock;
	struct session_env env;
	struct listener *listeners;
	size_t listener_count;
	/* The mailbox: one call at a time, from the main thread, which waits for it. */
	ev_async mail;
	ev_io sockmap; /* events of the sockmap program */
	ev_io packets; /* events of the program that forwards packets */
	ev_timer packets_second;
	ev_timer torture;
	struct exit_prober *prober; /* NULL but in the first worker */
	struct hold *hold;	    /* the same */
	worker_fn *call;
	void *argument;
	sem_t answered;
};

static void worker_on_mail(struct ev_loop *loop, ev_async *mail, int events)
{
	struct worker *worker = mail->data;

	(void)loop;
	(void)events;
	worker->call(worker, worker->argument);
	sem_post(&worker->answered);
}

static void worker_call(struct worker *worker, worker_fn *call, void *argument)
{
	worker->call = call;
	worker->argument = argument;
	ev_async_send(worker->loop, &worker->mail);
	while (sem_wait(&worker->answered) && errno == EINTR)
		;
}

static void worker_on_sockmap(struct ev_loop *loop, ev_io *io, int events)
{
	const struct worker *worker = io->data;

	(void)loop;
	(void)events;
	sockmap_pair_read_events(worker->env.relay.sockmap);
}

static void worker_on_torture(struct ev_loop *loop, ev_timer *timer, int events)
{
	const struct worker *worker = timer->data;

	(void)events;
	(void)loop;
	session_shake_all(&worker->env);
}

static void worker_begin_torture(struct worker *worker)
{
	if (!worker->env.config->relay.torture || ev_is_active(&worker->torture))
		return;
	worker->torture.repeat = TORTURE_S;
	ev_timer_again(worker->loop, &worker->torture);
}

static void worker_begin_sockmap(struct worker *worker, struct sockmap *sockmap, unsigned int index)
{
	struct relay_env *env = &worker->env.relay;

	relay_trial_init(env);
	env->sockmap = sockmap_worker(sockmap, index);
	if (!env->sockmap)
		return;
	env->sockmap_mptcp = sockmap_feature(sockmap, SOCKMAP_MPTCP)->available;
	ev_io_init(&worker->sockmap, worker_on_sockmap, sockmap_event_fd(env->sockmap), EV_READ);
	worker->sockmap.data = worker;
	ev_io_start(worker->loop, &worker->sockmap);
}

static void worker_on_packets(struct ev_loop *loop, ev_io *io, int events)
{
	const struct worker *worker = io->data;

	(void)loop;
	(void)events;
	packets_pair_read_events(worker->env.relay.packets);
}

static void worker_on_packets_second(struct ev_loop *loop, ev_timer *timer, int events)
{
	const struct worker *worker = timer->data;

	(void)loop;
	(void)events;
	packets_pair_tidy(worker->env.relay.packets,
			  worker->env.config->relay.tune.keepalive_idle_s);
}

static void worker_begin_packets(struct worker *worker, struct packets *packets, unsigned int index)
{
	struct relay_env *env = &worker->env.relay;

	env->packets = packets_worker(packets, index);
	if (!env->packets)
		return;
	ev_io_init(&worker->packets, worker_on_packets, packets_event_fd(env->packets), EV_READ);
	worker->packets.data = worker;
	ev_io_start(worker->loop, &worker->packets);
	ev_timer_init(&worker->packets_second, worker_on_packets_second, 1., 1.);
	worker->packets_second.data = worker;
}

static void *worker_run(void *data)
{
	struct worker *worker = data;

	ev_run(worker->loop, 0);
	return NULL;
}

static void worker_free(struct worker *worker)
{
	if (worker->loop) {
		exit_prober_close(worker->prober);
		hold_close(worker->hold);
		resolver_close(worker->env.resolver);
		hangup_fini(&worker->env.relay.hangup);
		tick_fini(&worker->env.relay.ticker);
		io_buffers_fini(&worker->env.relay.buffers);
		ev_loop_destroy(worker->loop);
	}
	tally_free(&worker->env.tally);
	tcp_only_close(worker->env.tcp_only);
	link_picker_fini(&worker->env.links);
	config_put(worker->env.config);
	sem_destroy(&worker->answered);
	free(worker->listeners);
	free(worker);
}

struct worker *worker_start(const struct worker_options *options)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct session_env *env;
	int err = ENOMEM;

	if (!worker)
		return NULL;
	env = &worker->env;
	env->relay.hangup.epoll_fd = -1;
	env->relay.ticker.timer_fd = -1;
	env->doorway.max = options->unheard_max;
	env->access_log = options->access_log;
	env->penalty = options->penalty;
	env->recent_dials = options->recent_dials;
	env->affinity = options->affinity;
	env->guests = options->guests;
	env->run = options->run;
	env->dialled = options->dialled;
	env->local = local_worker(options->local, options->index);
	env->next_id = options->index + 1;
	env->id_step = options->count;
	sem_init(&worker->answered, 0, 0);
	worker->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!worker->loop)
		goto out;
	loop_clock_init(&worker->clock, worker->loop);
	env->relay.loop = worker->loop;
	poller_init(&env->relay.poller, worker->loop);
	heap_init(&env->heap, worker->loop);
	env->relay.counters = &env->stats.relay;
	env->relay.first_byte = &env->stats.first_byte;
	err = -io_buffers_init(&env->relay.buffers);
	if (!err)
		err = -hangup_init(&env->relay.hangup, worker->loop);
	if (!err)
		err = -tick_init(&env->relay.ticker, worker->loop);
	if (err)
		goto out;
	env->resolver = resolver_open(worker->loop, options->queries_max);
	env->tcp_only = tcp_only_open();
	mptcp_blackhole_init(&env->mptcp_blackhole);
	err = -link_picker_init(&env->links, options->index);
	if (err)
		goto out;
	subflow_watch_init(&env->subflow_watch, env);
	room_watch_init(&env->room_watch, env);
	env->relay.mptcp_moved = subflow_watch_wake;
	env->relay.mptcp_moved_arg = &env->subflow_watch;
	if (env->resolver && options->index == 0) {
		worker->prober = exit_prober_open(
			&(struct dial_env){.loop = worker->loop,
					   .resolver = env->resolver,
					   .mptcp_blackhole = &env->mptcp_blackhole,
					   .links = &env->links});
		worker->hold = hold_open(env);
	}
	if (!env->resolver || !env->tcp_only ||
	    (options->index == 0 && (!worker->prober || !worker->hold))) {
		err = ENOMEM;
		goto out;
	}
	ev_async_init(&worker->mail, worker_on_mail);
	worker->mail.data = worker;
	ev_async_start(worker->loop, &worker->mail);
	ev_init(&worker->torture, worker_on_torture);
	worker->torture.data = worker;
	worker_begin_sockmap(worker, options->sockmap, options->index);
	worker_begin_packets(worker, options->packets, options->index);
	err = pthread_create(&worker->thread, NULL, worker_run, worker);
	if (!err)
		return worker;
out:
	worker_free(worker);
	errno = err;
	return NULL;
}

struct configure_call {
	const struct config *config;
	const int *fds;
	struct listener *listeners;
};

static void worker_do_configure(struct worker *worker, void *argument)
{
	const struct configure_call *call = argument;

	for (size_t i = 0; i < worker->listener_count; i++) {
		listener_accept_rest(&worker->listeners[i]);
		listener_stop(&worker->listeners[i]);
	}
	free(worker->listeners);
	config_put(worker->env.config);
	worker->env.config = config_get(call->config);
	worker->env.relay.packets_allowed = config_wants_packets(&call->config->relay);
	worker->listeners = call->listeners;
	worker->listener_count = 0;
	for (size_t i = 0; call->fds && i < call->config->listen_count; i++)
		if (call->fds[i] >= 0)
			listener_start(&worker->listeners[worker->listener_count++], &worker->env,
				       &call->config->listen[i], call->fds[i]);
	worker_begin_torture(worker);
	/* Not before there is a configuration: a start may take longer. */
	if (worker->env.relay.packets)
		ev_timer_start(worker->loop, &worker->packets_second);
	session_end_revoked(&worker->env);
	if (!worker->env.relay.packets_allowed)
		session_recall_all(&worker->env);
	if (worker->prober)
		exit_prober_configure(worker->prober, worker->env.config);
	if (worker->hold) {
		const bool wanted = call->fds && config_connects_first(worker->env.config);

		if (call->fds && !wanted)
			hold_admit_all(worker->hold);
		hold_configure(worker->hold, wanted);
	}
}

void worker_configure(struct worker *worker, const struct config *config, const int *fds)
{
	struct configure_call call = {.config = config, .fds = fds};

	if (fds) {
		call.listeners = calloc(config->listen_count, sizeof(*call.listeners));
		if (!call.listeners) {
			log_error("out of memory: a worker does not listen until the next reload");
			call.fds = NULL;
		}
	}
	worker_call(worker, worker_do_configure, &call);
}

static void worker_do_admit_held(struct worker *worker, void *argument)
{
	(void)argument;
	hold_admit_all(worker->hold);
}

void worker_admit_held(struct worker *worker)
{
	worker_call(worker, worker_do_admit_held, NULL);
}

static void worker_do_drain(struct worker *worker, void *argument)
{
	(void)argument;
	session_drain_all(&worker->env);
}

void worker_drain(struct worker *worker)
{
	worker_call(worker, worker_do_drain, NULL);
}

static void worker_do_set_links(struct worker *worker, void *argument)
{
	link_picker_update(&worker->env.links, argument);
}

void worker_set_links(struct worker *worker, const struct link_choices *choices)
{
	worker_call(worker, worker_do_set_links, (void *)choices);
}

static void worker_do_get_stats(struct worker *worker, void *argument)
{
	struct session_env *env = &worker->env;

	session_refresh_all(env);
	/* libev's own count has 32 bits. */
	env->stats.rounds += ev_iteration(worker->loop) - (unsigned int)env->stats.rounds;
	env->stats.tcp_only =
		tcp_only_count(env->tcp_only, &env->config->tcp_only, loop_clock_s(worker->loop));
	*(struct stats *)argument = env->stats;
}

void worker_get_stats(struct worker *worker, struct stats *out)
{
	worker_call(worker, worker_do_get_stats, out);
}

struct sessions_call {
	struct session_row *rows;
	size_t max;
	size_t count;
	size_t all;
};

static void worker_do_get_sessions(struct worker *worker, void *argument)
{
	struct sessions_call *call = argument;

	call->all = worker->env.stats.sessions_active;
	call->max = call->max < call->all ? call->max : call->all;
	call->rows = call->max ? calloc(call->max, sizeof(*call->rows)) : NULL;
	if (call->rows)
		call->count = session_describe_all(&worker->env, call->rows, call->max);
}

struct session_row *worker_get_sessions(struct worker *worker, size_t max, size_t *count,
					size_t *all)
{
	struct sessions_call call = {.max = max};

	worker_call(worker, worker_do_get_sessions, &call);
	*count = call.count;
	*all += call.all;
	return call.rows;
}

bool worker_holds(const struct worker *worker)
{
	return hold_is_ready(worker->hold);
}

static void worker_do_take_detours(struct worker *worker, void *argument)
{
	struct auto_bypass *out = argument;

	*out = worker->env.auto_bypass;
	worker->env.auto_bypass.count = 0;
}

void worker_take_detours(struct worker *worker, struct auto_bypass *out)
{
	worker_call(worker, worker_do_take_detours, out);
}

static void worker_do_end_taken(struct worker *worker, void *argument)
{
	(void)argument;
	session_end_taken(&worker->env);
}

void worker_end_taken(struct worker *worker)
{
	worker_call(worker, worker_do_end_taken, NULL);
}

static void worker_do_take_tally(struct worker *worker, void *argument)
{
	session_tally_all(&worker->env, argument);
}

void worker_take_tally(struct worker *worker, struct tally *out)
{
	worker_call(worker, worker_do_take_tally, out);
}

struct session_call {
	uint64_t id;
	struct session_detail *out;
	bool found;
};

static void worker_do_get_session(struct worker *worker, void *argument)
{
	struct session_call *call = argument;

	call->found = session_describe_one(&worker->env, call->id, call->out);
}

bool worker_get_session(struct worker *worker, uint64_t id, struct session_detail *out)
{
	struct session_call call = {.id = id, .out = out};

	worker_call(worker, worker_do_get_session, &call);
	return call.found;
}

static void worker_do_kill_session(struct worker *worker, void *argument)
{
	struct session_call *call = argument;

	call->found = session_kill(&worker->env, call->id);
}

bool worker_kill_session(struct worker *worker, uint64_t id)
{
	struct session_call call = {.id = id};

	worker_call(worker, worker_do_kill_session, &call);
	return call.found;
}

static void worker_do_stop(struct worker *worker, void *argument)
{
	(void)argument;
	for (size_t i = 0; i < worker->listener_count; i++)
		listener_stop(&worker->listeners[i]);
	if (worker->hold)
		hold_configure(worker->hold, false);
	session_end_all(&worker->env, CAUSE_STOPPED);
	ev_break(worker->loop, EVBREAK_ALL);
}

void worker_stop(struct worker *worker)
{
	worker_call(worker, worker_do_stop, NULL);
	pthread_join(worker->thread, NULL);
	worker_free(worker);
}
