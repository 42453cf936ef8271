/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a worker's trials of the sockmap: when one begins, what its pairs have moved, who leaves. */
#include "base/loop_clock.h"
#include "relay/relay_private.h"

/* More would take too long to leave all at once. */
#define TRIAL_PAIRS_MAX 1024

static void relay_count_owner(void *owner, void *unused)
{
	(void)unused;
	relay_refresh(owner);
}

static void relay_leave_owner(void *owner, void *reason)
{
	const struct relay *relay = owner;

	/* With tier = sockmap it stays. */
	if (relay->config->tier != TIER_MODE_SOCKMAP)
		sockmap_pair_leave(relay->pair, reason);
}

static void relay_keep_out(struct relay_env *env)
{
	if (!sockmap_trial_admits(&env->trial))
		sockmap_pair_each(env->sockmap, relay_leave_owner,
				  env->trial.running ? "trial of copy"
						     : "copy was faster in a trial");
}

static void relay_on_trial(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct relay_env *env = timer->data;
	double again_s;

	(void)events;
	sockmap_pair_each(env->sockmap, relay_count_owner, NULL);
	again_s = sockmap_trial_step(&env->trial, loop_clock_s(loop), env->chat_bytes);
	relay_keep_out(env);
	if (again_s > 0) {
		ev_timer_set(timer, again_s, 0.);
		ev_timer_start(loop, timer);
		return;
	}
	env->counters->sockmap_trials++;
	env->counters->sockmap_trials_won += env->trial.wins;
}

void relay_trial_init(struct relay_env *env)
{
	ev_init(&env->trial_timer, relay_on_trial);
	env->trial_timer.data = env;
}

bool relay_trial_admits(struct relay *relay)
{
	struct relay_env *env = relay->env;
	const struct tune *tune = &relay->config->tune;
	double again_s;

	if (tune->chat_trial_ms == 0)
		return true;
	if (sockmap_pairs(env->sockmap) > TRIAL_PAIRS_MAX)
		return !env->trial.running && env->trial.wins;
	again_s = sockmap_trial_begin(&env->trial, tune, loop_clock_s(env->loop));
	if (again_s > 0) {
		ev_timer_set(&env->trial_timer, again_s, 0.);
		ev_timer_start(env->loop, &env->trial_timer);
		/* Before the time that counts. */
		relay_keep_out(env);
	}
	return sockmap_trial_admits(&env->trial);
}
