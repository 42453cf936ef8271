/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks exits whether they are there. */
#include "upstream/exit_prober.h"

#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "shared/exit_state.h"
#include "upstream/hop.h"

/* How often to look whether one is due. */
#define LOOK_S 0.25

struct probe {
	struct exit_prober *prober;
	struct hop *hop; /* NULL: none under way */
	const struct exit_config *exit;
};

struct exit_prober {
	struct dial_env env;  /* without a configuration until there are exits */
	struct probe *probes; /* one for each of its exits */
	size_t count;
	ev_timer look;
};

static void on_probe(void *context, const struct hop_result *result)
{
	struct probe *probe = context;
	struct exit_facts facts;

	probe->hop = NULL;
	if (result->fd >= 0)
		close(result->fd);
	exit_state_describe(probe->exit->state, &facts);
	log_debug("exit %s: probe: %s; it is %s", probe->exit->name,
		  cause_info(result->cause)->text, exit_state_name(facts.state));
}

/* at: this address of it; NULL: any. */
static void start(struct exit_prober *prober, struct probe *probe, const union address *at)
{
	probe->hop =
		hop_start(&(struct hop_request){.env = prober->env, .exit = probe->exit, .at = at},
			  on_probe, probe);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct exit_prober *prober = timer->data;
	const double now_s = clock_monotonic_s();

	(void)loop;
	(void)events;
	for (size_t i = 0; i < prober->count; i++) {
		struct probe *probe = &prober->probes[i];
		struct exit_state *exit = probe->exit->state;
		union address avoided;

		if (probe->hop)
			continue;
		if (exit_state_wants_probe(exit, prober->env.config->exit_probe_s, now_s))
			start(prober, probe, NULL);
		else if (exit_state_wants_avoided_probe(exit, now_s, &avoided))
			start(prober, probe, &avoided);
	}
}

struct exit_prober *exit_prober_open(const struct dial_env *env)
{
	struct exit_prober *prober = calloc(1, sizeof(*prober));

	if (!prober)
		return NULL;
	prober->env = *env;
	ev_timer_init(&prober->look, on_look, 0., LOOK_S);
	prober->look.data = prober;
	return prober;
}

static void forget(struct exit_prober *prober)
{
	ev_timer_stop(prober->env.loop, &prober->look);
	for (size_t i = 0; i < prober->count; i++)
		if (prober->probes[i].hop)
			hop_cancel(prober->probes[i].hop);
	free(prober->probes);
	prober->probes = NULL;
	prober->count = 0;
	config_put(prober->env.config);
	prober->env.config = NULL;
}

void exit_prober_close(struct exit_prober *prober)
{
	if (!prober)
		return;
	forget(prober);
	free(prober);
}

void exit_prober_configure(struct exit_prober *prober, const struct config *config)
{
	forget(prober);
	if (config->exit_count == 0)
		return;
	prober->probes = calloc(config->exit_count, sizeof(*prober->probes));
	if (!prober->probes) {
		log_error("out of memory: exits are not probed until the next reload");
		return;
	}
	prober->env.config = config_get(config);
	prober->count = config->exit_count;
	for (size_t i = 0; i < prober->count; i++)
		prober->probes[i] = (struct probe){.prober = prober, .exit = &config->exits[i]};
	ev_timer_set(&prober->look, 0., LOOK_S);
	ev_timer_start(prober->env.loop, &prober->look);
}
